"""Choosing runs by their fields."""

from pathlib import Path

import pytest

from geomem.train.config.errors import ConfigError
from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.where import select, select_some

ROWS = [
    {
        "graph.arms": 64,
        "model.kind": "mamba",
        "task.kind": "in_weights",
        "optim.lr": 1e-3,
        "optim.betas": "[0.9, 0.999]",
        "seed": 1,
    },
    {
        "optim.betas": "[0.0, 0.99]",
        "graph.arms": 256,
        "model.kind": "transformer",
        "task.kind": "in_weights",
        "model.tie": True,
    },
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
        (["betas=[0.9, 0.999]"], [0]),  # as CSV files have it
        (["betas=[0.9,0.999],[0, 0.99]"], [0, 1]),
        (["betas!=[0.9,0.999]", "arms=64,256"], [1]),
        (["betas=0.9"], []),
        (["model.kind=[mamba]"], []),
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
        ("betas=[0.9, 0.999", r"\[0.9, 0.999: did not find expected"),
        ("betas>[0.9, 0.999]", "> is for numbers"),
        ("model.knd=mamba", r"no run has this field. Did you mean model.kind"),
    ],
)
def test_refusals(text, problem):
    with pytest.raises((UsageError, ConfigError), match=problem):
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
        ("betas=[1, 2]", r"meets optim.betas=\[1, 2\]; they have optim.betas \[0.9, 0.999\]"),
        ("arms>300", "no run that has results meets arms>300"),
    ],
)
def test_values_that_no_run_has_are_refused(text, problem):
    with pytest.raises(UsageError, match=problem):
        select_some(Path("here"), [text], ROWS, dict)
