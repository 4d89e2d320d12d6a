"""Shared by all tests: one thread, so that results do not depend on the machine."""

import pytest
import torch

from geomem.train.config import RunConfig


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def make_run():
    """Return a function that builds a small run; keyword sections are merged over the defaults."""

    def build(seed: int = 0, **sections) -> RunConfig:
        fields = {
            "graph": {"kind": "path_star", "arms": 6, "length": 4},
            "task": {"recipe": "edges_only"},
            "model": {"kind": "transformer", "layers": 1, "width": 16, "heads": 2},
            "optim": {"lr": 1e-2},
            "train": {"steps": 12, "eval_every": 4},
        }
        for name, section in sections.items():
            replaced = "kind" in section
            fields[name] = dict(section) if replaced else fields[name] | section
        if fields["task"].get("kind") == "facts":
            del fields["graph"]
        return RunConfig.model_validate({**fields, "seed": seed})

    return build
