"""Runs with made-up results, as sweeps would have left them, for the rules of findings."""

import numpy as np

from geomem.analysis.sweeps import Member, OpenPack
from geomem.train.config import run_id
from geomem.train.config.one_run import read_run
from geomem.train.tasks.graphs import build_graph
from tests.analysis.made import MadePack

STAR = {"kind": "path_star", "arms": 128, "length": 5}
TINY = {
    "path-star": {"kind": "path_star", "arms": 4, "length": 5},
    "grid": {"kind": "grid", "rows": 4, "columns": 4},
    "cycle": {"kind": "cycle", "nodes": 15},
    "irregular": {"kind": "irregular"},
}
MODELS = {
    "transformer": {"kind": "transformer", "layers": 1, "width": 8, "heads": 2},
    "mamba": {"kind": "mamba", "layers": 1, "width": 8},
    "feed_forward": {"kind": "feed_forward", "width": 15},
    "associative": {"kind": "feed_forward", "width": 8, "freeze_embeddings": True},
    "node2vec": {"kind": "node2vec", "width": 100},
}
STEPS = np.arange(10, 210, 10)


def curve(*values):
    """A measure over STEPS that goes through these values, from the first step to the last."""
    return np.interp(STEPS, np.linspace(STEPS[0], STEPS[-1], len(values)), values)


def final(value, metric="exact_match"):
    """A measure that rises to a value."""
    return {f"metrics/{metric}": curve(0, value)}


def made(seeds, own, graph=STAR, task=None, model="transformer", optim=None, train=None):
    """Members of one pack, one per seed.

    own: tensors [...] that all runs have alike, or functions from the seed to them.
    """
    kind = MODELS[model] if isinstance(model, str) else model
    rate = {"lr": 1e-2, "weight_decay": 0.0} if kind["kind"] == "node2vec" else {"lr": 1e-2}
    fields = {
        "graph": graph,
        "task": {"recipe": "mixed"} if task is None else task,
        "model": kind,
        "optim": rate | (optim or {}),
        "train": {"steps": 200} | (train or {}),
    }
    runs = [read_run({**fields, "seed": seed}) for seed in range(seeds)]
    shared = _shared(runs[0]) if runs else {}
    tensors = {
        name: np.stack([tensor(seed) if callable(tensor) else tensor for seed in range(seeds)])
        for name, tensor in own.items()
        if seeds
    }
    if runs and "embedding" not in tensors:
        n = build_graph(runs[0].graph).n
        tensors["embedding"] = np.zeros((seeds, n, 4), np.float32)
    if "arms" in shared and runs[0].task.recipe != "edges_only":
        tensors["held_out"] = np.tile(np.arange(32), (seeds, 1))
    opened = OpenPack(MadePack([_member(run) for run in runs], tensors, shared))
    return [Member(opened, at) for at in range(seeds)]


def _member(run):
    about = {"run": run_id(run), "seed": run.seed, "status": "done", "steps": 200}
    return about | {"config": run.model_dump(mode="json")}


def _shared(run):
    steps = {"metrics_step": STEPS, "history_step": np.array([0, 200])}
    if run.task.kind != "in_weights":
        return steps
    graph = build_graph(run.graph)
    return {"edges": graph.edges, **graph.sets, **steps}
