"""A sweep made by the fake worker, for the tests of commands that read it."""

import os
import shutil

import pytest

from tests.train.sweep.helpers import Sweeper, control


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two rates, four seeds: one run diverged, one stack of two failed."""
    sweeper = Sweeper(tmp_path_factory.mktemp("made"))
    sweeper.write_grid(seeds="0-3", rates="1e-2, 1e-3", stack=2)
    os.environ["FAKE_CONTROL"] = control(diverge=[0], fail=2)
    try:
        assert sweeper.run() == 3
    finally:
        del os.environ["FAKE_CONTROL"]
    return sweeper


@pytest.fixture
def copy(made, tmp_path):
    shutil.copytree(made.out, tmp_path / "sweep")
    shutil.copy(made.grid, tmp_path)
    return Sweeper.at(tmp_path, "sweep")
