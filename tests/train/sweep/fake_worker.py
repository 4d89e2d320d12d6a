"""A worker whose training is a little arithmetic, and which fails as FAKE_CONTROL (JSON) says.

sleep: seconds per step; die: seed whose stack kills the worker, while the file `token` exists;
once: take that file away first; fail: seed whose stack raises; oom: members beyond which memory
runs out; full: seed whose stack finds the disk full; diverge: seeds that diverge; no_start: leave
before being ready; deaf: do not look at the request to stop; hog: print to stdout; starts: file
that gets a line per stack; rates: members -> member-steps per second that a stack claims.
"""

import errno
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from geomem.train.config import run_id
from geomem.train.packs import atomic_write
from geomem.train.sweep.worker import Trainer, main

CONTROL = json.loads(os.environ.get("FAKE_CONTROL", "{}"))
NODES, WIDTH = 4, 3


class Interrupted(Exception):
    pass


@dataclass
class Progress:
    member_steps: int
    loss: float


@dataclass
class Result:
    tensors: dict
    metadata: dict


def misbehave(runs):
    seeds = {run.seed for run in runs}
    if CONTROL.get("die") in seeds and Path(CONTROL["token"]).exists():
        if CONTROL.get("once"):
            Path(CONTROL["token"]).unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if CONTROL.get("fail") in seeds:
        raise ValueError("this run\ncannot be trained")
    if len(runs) > CONTROL.get("oom", len(runs)):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 1 byte")
    if CONTROL.get("full") in seeds:
        raise OSError(errno.ENOSPC, "No space left on device")


def train(
    stacks, *, device, checkpoint, checkpoint_seconds, keep_parameters, compile, report, stop
):
    runs = [run for stack in stacks for run in stack]
    if "starts" in CONTROL:
        with open(CONTROL["starts"], "a") as file:
            file.write(f"{len(runs)} {checkpoint is not None and checkpoint.exists()}\n")
    print("a library greets" if CONTROL.get("hog") else "", flush=True)
    misbehave(runs)
    state, step = np.zeros((len(runs), NODES, WIDTH)), 0
    if checkpoint is not None and checkpoint.exists():
        saved = load_file(checkpoint)
        state, step = saved["state"], int(saved["step"])
    last = time.monotonic()
    for now in range(step, max(run.train.steps for run in runs)):
        for k, run in enumerate(runs):
            noise = np.random.default_rng([run.seed, now, int(run.optim.lr * 1e6)])
            state[k] = 0.9 * state[k] + noise.standard_normal((NODES, WIDTH))
        time.sleep(CONTROL.get("sleep", 0))
        report(Progress((now + 1) * len(runs), float(np.abs(state).mean())))
        stopping = stop() and not CONTROL.get("deaf")
        due = stopping or time.monotonic() - last >= checkpoint_seconds
        if due and checkpoint is not None:
            atomic_write(checkpoint, save({"state": state, "step": np.array(now + 1)}))
            last = time.monotonic()
        if stopping:
            raise Interrupted
    places = iter(state)
    return [result(stack, np.stack([next(places) for _ in stack])) for stack in stacks]


def result(runs, state):
    K = len(runs)
    loss = np.abs(state).mean((1, 2))[:, None] * np.array([[2.0, 1.0, np.nan]])
    accuracy = np.tile(np.array([[0.5, 0.25], [1.0, 0.75], [np.nan, np.nan]]), (K, 1, 1))
    diverged = set(CONTROL.get("diverge", []))
    members = [
        {
            "run": run_id(run),
            "seed": run.seed,
            "config": run.model_dump(mode="json"),
            "status": "diverged" if run.seed in diverged else "done",
            "steps": run.train.steps,
        }
        for run in runs
    ]
    tensors = {
        "embedding": state.astype(np.float32),
        "edges": np.array([[0, 1], [1, 2]]),
        "metrics/loss": loss.astype(np.float32),
        "metrics/target_accuracy": accuracy,
        "metrics_step": np.array([1, 2, 3]),
    }
    steps = sum(run.train.steps for run in runs)
    rate = CONTROL.get("rates", {}).get(str(K))
    metadata = {
        "members": members,
        "shared": ["edges", "metrics_step"],
        "wall_seconds": steps / rate if rate else 0.1,
        "member_steps": steps,
    }
    return Result(tensors, metadata)


def load():
    if CONTROL.get("no_start"):
        sys.exit("no torch here")
    return Trainer(train, Interrupted, lambda threads: None)


if __name__ == "__main__":
    main(load)
