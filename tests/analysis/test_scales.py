"""Axes of figures: ticks that keep apart, and embeddings that lack a dimension."""

import itertools

import numpy as np
import pytest

from geomem.analysis.figures import drawn
from geomem.analysis.figures.evolution import measures_over_steps
from geomem.analysis.figures.points import embeddings
from tests.analysis.made import make_members

CYCLE = {"kind": "cycle", "nodes": 8}
NO_PATHS = {"recipe": "edges_only"}


@pytest.mark.parametrize("decades", [0.1, 0.5, 1, 1.5, 2, 3, 4, 6, 12])
def test_the_ticks_of_losses_stand_apart(decades):
    (member,) = make_members(1)
    member.tensor("metrics/loss")[:] = np.logspace(0.6, 0.6 - decades, 3)
    figure = measures_over_steps([member])
    figure.draw_without_rendering()
    axis = figure.axes[0].yaxis
    low, high = figure.axes[0].get_ylim()
    ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    boxes = [label.get_window_extent() for at, label in ticks if low <= at <= high]
    assert 2 <= len(boxes) <= 12
    assert all(below.y1 < above.y0 for below, above in itertools.pairwise(boxes))


def test_an_embedding_of_one_dimension_lies_on_a_line():
    sizes = {"layers": 1, "kind": "feed_forward"}
    line, plane = (
        make_members(1, CYCLE, NO_PATHS, {**sizes, "width": width}, width)[0] for width in (1, 8)
    )
    figure = embeddings([line, plane])
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "feed-forward, width 1",
        "feed-forward, width 8",
    ]
    flat, spread = (np.ptp(ax.collections[0].get_offsets(), axis=0) for ax in figure.axes)
    assert flat[0] > 0
    assert flat[1] == 0
    assert spread.min() > 0
    assert {name for name, _ in drawn([line, plane])} >= {"embeddings", "embeddings_3d", "spectra"}
