"""Denormal numbers are flushed while a CPU trains, by every thread, and not after."""

import subprocess
import sys

# A process of its own: a thread has the switch of the one that started it, at that time.
SCRIPT = """
import torch
from geomem.train.config import RunConfig
from geomem.train.stack import train_stack

def denormal():
    return int((torch.full((1 << 20,), 1e-30) * 1e-12).ne(0).sum())

def stop():
    found.append(denormal())
    return False

torch.set_num_threads(2)
found = []
graph = {"kind": "path_star", "arms": 300, "length": 5}
task = {"recipe": "edges_only"}
model = {"kind": "transformer", "layers": 1, "width": 64}
run = {"graph": graph, "task": task, "model": model, "optim": {"lr": 1e-3}, "train": {"steps": 2}}
train_stack([RunConfig.model_validate(run | {"seed": 0})], stop=stop)
print(len(found) > 0, max(found), denormal() > 0)
"""


def test_every_thread_flushes_them():
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["True", "0", "True"]
