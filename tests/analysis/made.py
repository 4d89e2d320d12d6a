"""Runs made of arrays, as if a sweep had left them."""

import numpy as np

from geomem.analysis.sweeps import Member, OpenPack
from geomem.train.config import RunConfig
from geomem.train.config.graph import PathStar
from geomem.train.tasks.graphs import build_graph

STAR = {"kind": "path_star", "arms": 6, "length": 4}
STEPS = np.array([0, 10, 20])


class MadePack:
    """What the analysis asks of a pack, held in memory."""

    def __init__(self, members, own, shared, names=None):
        self.members, self.shared = members, sorted(shared)
        self.entries = own | shared
        self.names = sorted(self.entries)
        self.metadata = {"node_names": names} if names else {}

    def shape(self, name):
        return self.entries[name].shape

    def tensor(self, name):
        return self.entries[name]


def make_members(seeds=2, graph=None, task=None, model=None, width=8, names=None, **options):
    """Members of one pack with embeddings, history and measures drawn at random."""
    fields = {
        "graph": graph or STAR,
        "task": {"recipe": "mixed"} | (task or {}),
        "model": model or {"kind": "transformer", "layers": 1, "width": 16, "heads": 2},
        "optim": {"lr": 1e-2} | options.get("optim", {}),
        "train": {"steps": 20} | options.get("train", {}),
    }
    runs = [RunConfig.model_validate({**fields, "seed": seed}) for seed in range(seeds)]
    members = [
        {
            "run": f"{seed:064x}",
            "seed": seed,
            "status": options.get("status", "done"),
            "steps": 20,
            "config": run.model_dump(mode="json"),
        }
        for seed, run in enumerate(runs)
    ]
    own, shared = _tensors(runs[0], seeds, width)
    for name in options.get("without", ()):
        own.pop(name, None)
    opened = OpenPack(MadePack(members, own, shared, names))
    return [Member(opened, at) for at in range(seeds)]


def _tensors(run, seeds, width):
    graph = build_graph(run.graph)
    rng = np.random.default_rng(0)
    history = rng.standard_normal((seeds, len(STEPS), graph.n, width)).astype(np.float32)
    own = {"embedding": history[:, -1], "history/embedding": history}
    for name in ("loss", "edge_recovery", "exact_match", "first_hop"):
        own[f"metrics/{name}"] = rng.random((seeds, len(STEPS)))
    own["metrics/exact_match"][:, 0] = np.nan
    if isinstance(run.graph, PathStar) and run.task.recipe == "mixed":
        own["metrics/target_accuracy"] = rng.random((seeds, len(STEPS), run.graph.length))
        own["held_out"] = np.tile(np.arange(2), (seeds, 1))
    shared = {"edges": graph.edges, **graph.sets, "metrics_step": STEPS, "history_step": STEPS}
    return own, shared
