"""The figure of thresholds: widths that can be read, and hollow dots that are explained."""

import pytest

from geomem.analysis.facts.thresholds import Crossing, Threshold
from geomem.analysis.figures import capacity


@pytest.fixture
def draw(monkeypatch):
    """Draws thresholds of 64, 128, … subjects; a list of crossings for each."""

    def drawn(*crossings):
        found = [
            Threshold(
                "memorised",
                {"task.subjects": 64 << at, "task.relations": 2},
                dict(enumerate(own)),
            )
            for at, own in enumerate(crossings)
        ]
        monkeypatch.setattr(capacity, "thresholds", lambda rows, levels: found)
        return capacity.facts_capacity([])

    return drawn


def _ticks(figure):
    """Widths and labels of the ticks in view."""
    figure.draw_without_rendering()
    axis = figure.axes[0].yaxis
    low, high = sorted(axis.get_view_interval())
    labels = [label.get_text() for label in axis.get_ticklabels()]
    ticks = zip(axis.get_ticklocs(), labels, strict=True)
    return {float(at): label for at, label in ticks if low <= at <= high}


@pytest.mark.parametrize("widths", [(9.2, 14.5), (7.9, 8.1), (130, 170), (5, 5.3)])
def test_widths_within_an_octave_can_be_read(draw, widths):
    ticks = _ticks(draw(*([Crossing(width, 0)] for width in widths)))
    assert len(ticks) >= 3
    assert ticks == {at: f"{at:g}" for at in ticks}


def test_other_widths_have_powers_of_two(draw):
    ticks = _ticks(draw([Crossing(7, 0)], [Crossing(40, 0)]))
    assert ticks == {8: "8", 16: "16", 32: "32"}


def _legend(figure):
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    return dict(zip(texts, legend.legend_handles, strict=True))


def test_hollow_dots_stand_in_the_legend(draw):
    bound = [Crossing(4, -1), Crossing(5, 0)]
    found = _legend(draw(bound, [Crossing(16, 0)]))
    assert list(found) == ["2 relations", "below or above all widths tried"]
    faces = [handle.get_markerfacecolor() for handle in found.values()]
    assert faces == [capacity.COLOURS[0], "none"]
    assert list(_legend(draw([Crossing(4, 0)], [Crossing(16, 0)]))) == ["2 relations"]
