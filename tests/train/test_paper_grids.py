"""The grids of the paper: each in two sizes, told apart and explained."""

import re

import pytest

from geomem.train.config import load_grid
from geomem.train.config.shipped import shipped_grids

PAPER = {name: path for name, path in shipped_grids().items() if name.startswith("paper/")}
NAMES = sorted({name.rpartition("_")[0] for name in PAPER})
LEAST_SEEDS = 5  # for a verdict


def head_of(path):
    """The comment on top of a file, as one line."""
    lines = path.read_text().splitlines()
    comment = lines[: next(at for at, line in enumerate(lines) if not line.startswith("#"))]
    return " ".join(line.lstrip("# ") for line in comment)


@pytest.mark.parametrize("name", NAMES)
def test_every_grid_comes_small_and_at_the_paper_size(name):
    assert {f"{name}_small", f"{name}_paper"} <= set(PAPER)


@pytest.mark.parametrize("name", PAPER)
def test_the_comment_says_what_is_reproduced_and_how_long_it_takes(name):
    text = head_of(PAPER[name])
    assert "arXiv 2510.26745" in text
    assert re.search(r"\d+ runs", text), text
    assert re.search(r"CPU|GPU", text), text


@pytest.mark.parametrize("name", PAPER)
def test_the_comment_counts_the_runs(name):
    grid = load_grid(name)
    assert int(re.search(r"(\d+) runs", head_of(PAPER[name]))[1]) == len(grid.runs)


@pytest.mark.parametrize("name", [name for name in PAPER if name.endswith("_small")])
def test_small_grids_have_seeds_enough(name):
    assert len({run.seed for run in load_grid(name).runs}) >= LEAST_SEEDS
