"""What longer analyses say on stderr meanwhile."""

import time

import numpy as np
import pytest

from geomem.analysis import counting
from geomem.analysis.commands.tables import measured
from geomem.analysis.sweeps import Sweep
from tests.analysis.made import make_members


@pytest.mark.parametrize("first", [0.05, 60])
def test_runs_are_counted_where_that_takes_longer(monkeypatch, capsys, tmp_path, first):
    monkeypatch.setattr(counting, "FIRST_SECONDS", first)
    monkeypatch.setattr(counting, "LINE_SECONDS", first)
    members = [*make_members(2), *make_members(3)]

    def slow(batch):
        if len(batch.places) == 3 and first < 1:
            time.sleep(0.5)
        return {"size": np.ones(len(batch.places))}

    rows = measured(Sweep(tmp_path, members), slow)
    assert len(rows) == 5
    told = capsys.readouterr()
    assert told.out == ""
    assert ("measured 2 of 5 runs, " in told.err) == (first < 1)
    assert bool(told.err) == (first < 1)
    assert ("measured 5 of 5 runs, " in told.err) == (first < 1)
