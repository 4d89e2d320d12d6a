"""torch.compile makes a step faster, not another one."""

import shutil

import numpy as np
import pytest

from geomem.train.stack import train_stack

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler"
)


@pytest.mark.parametrize(
    "model", [{"layers": 1}, {"kind": "mamba", "layers": 1, "width": 8, "state": 2}]
)
def test_a_compiled_stack_trains_as_a_plain_one(make_run, model):
    train = {"steps": 8, "eval_every": 2, "edge_batch": 7, "path_batch": 3}
    runs = [make_run(s, task={"recipe": "mixed"}, model=model, train=train) for s in range(2)]
    plain, compiled = train_stack(runs), train_stack(runs, compile=True)
    for name in ("metrics/loss", "metrics/edge_loss", "embedding"):
        gap = np.linalg.norm(compiled.tensors[name] - plain.tensors[name])
        assert gap <= 1e-3 * np.linalg.norm(plain.tensors[name]), name
    assert compiled.metadata["members"] == plain.metadata["members"]
