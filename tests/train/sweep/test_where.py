"""Choosing runs by their fields."""

from pathlib import Path

import pytest

from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.where import select, select_some

ROWS = [
    {
        "graph.arms": 64,
        "model.kind": "mamba",
        "task.kind": "in_weights",
        "optim.lr": 1e-3,
        "seed": 1,
    },
    {"graph.arms": 256, "model.kind": "transformer", "task.kind": "in_weights", "model.tie": True},
    {"graph.nodes": 15, "model.kind": "mamba", "task.kind": "in_weights", "model.tie": False},
]


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        ([], [0, 1, 2]),
        (["model.kind=mamba"], [0, 2]),
        (["arms>=256"], [1]),
        (["arms=64,256"], [0, 1]),
        (["arms!=64,512"], [1]),
        (["model.kind = mamba", "arms<100"], [0]),
        (["tie=false"], [2]),
        (["tie=True"], [1]),  # as CSV files have it
        (["arms==64"], [0]),
        (["seed=true"], []),
        (["tie=1"], []),
        (["optim.lr=1e-3"], [0]),
        (["model.kind>3"], []),
    ],
)
def test_select(texts, chosen):
    assert select(texts, ROWS, dict) == [ROWS[i] for i in chosen]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("arms", "write FIELD=VALUE"),
        ("arms=", "write FIELD=VALUE"),
        ("arms>=many", ">= is for numbers"),
        ("kind=mamba", r"stands for several fields. Did you mean model.kind or task.kind"),
        ("model.knd=mamba", r"no run has this field. Did you mean model.kind"),
    ],
)
def test_refusals(text, problem):
    with pytest.raises(UsageError, match=problem):
        select([text], ROWS, dict)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "arms=64,512",
            "no run that has results meets graph.arms=512; they have graph.arms 64, 256",
        ),
        ("seed=0-1", "no run that has results meets seed=0-1; they have seed 1"),
        ("tie=1", "meets model.tie=1; they have model.tie true, false"),
        ("arms>300", "no run that has results meets arms>300"),
    ],
)
def test_values_that_no_run_has_are_refused(text, problem):
    with pytest.raises(UsageError, match=problem):
        select_some(Path("here"), [text], ROWS, dict)
