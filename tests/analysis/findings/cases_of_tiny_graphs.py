"""Runs on tiny graphs that show a finding, or fail one of its checks alone.

A case is a function of the number of seeds and of the check to be broken (None: none of them).
"""

from functools import cache

import numpy as np
from scipy.linalg import expm

from geomem.analysis.hops import hop_distances
from geomem.train import fit
from geomem.train.config.one_run import read_run
from geomem.train.tasks.graphs import build_graph
from tests.analysis.findings.packs import MODELS, TINY, final, made

EDGES = {"recipe": "edges_only"}
LINEAR = {"kind": "feed_forward", "width": 15}
ASSOCIATIVE, HALF, GEOMETRIC = 3.0, 0.12, 0.0


def frozen(seeds, broken):
    """3a: edges recovered and paths found, with frozen embeddings and trained ones."""
    found = []
    for name, graph in TINY.items():
        value = 0.9 if broken == 0 and name == "grid" else 1.0
        own = final(value, "edge_recovery")
        found += made(seeds, own, graph=graph, task=EDGES, model="associative")
    cold = MODELS["transformer"] | {"freeze_embeddings": True}
    own = final(0.9 if broken == 1 else 1.0, "edge_recovery")
    found += made(seeds, own | final(0.4 if broken == 2 else 0.0), model=cold)
    own = final(1.0, "edge_recovery")
    return found + made(seeds, own | final(0.6 if broken == 3 else 1.0))


def drawn(graph, noise):
    """Embeddings whose cosines follow the hop distances, [n, n], with noise of that size."""
    built = build_graph(read_run(_cycle_fields() | {"graph": graph}).graph)
    near = np.exp(-hop_distances(built.edges, built.n) / 2)

    def of(seed):
        rng = np.random.default_rng(seed)
        return (near + noise * rng.standard_normal(near.shape)).astype(np.float32)

    return of


def _cycle_fields():
    return {"model": MODELS["transformer"], "optim.lr": 0.1, "train.steps": 1}


def tiny(seeds, noise_of):
    """Every model on every tiny graph; noise_of: from the model to the noise of its picture."""
    return [
        member
        for model in MODELS
        for graph in TINY.values()
        for member in made(
            seeds,
            {"embedding": drawn(graph, noise_of(model))},
            graph=graph,
            task=EDGES,
            model=model,
        )
    ]


def from_edges(seeds, broken):
    """3b: the associative control has nothing but noise, the others a little."""
    order = ("transformer", "mamba", "feed_forward", "associative")

    def noise(model):
        nothing = (model == "associative") != (broken is not None and model == order[broken])
        return 100 if nothing else 0.05

    return tiny(seeds, noise)


def node2vec(seeds, broken):
    """4: the end of a real training, and a random start."""
    found = []
    for name, graph in TINY.items():
        end = trained(name)
        start = np.random.default_rng(0).standard_normal(end.shape)
        if broken == 0:
            end = end + 0.1 * start
        if broken in (1, 3):
            start = end
        if broken == 2:
            end = 1.3 * end
        own = {"history/embedding": np.stack([start, end]), "embedding": end}
        found += made(seeds, own, graph=graph, task=EDGES, model="node2vec")
    return found


@cache
def trained(name):
    """Node2Vec's embedding of a tiny graph, [n, 100]."""
    optim = {"lr": 0.05, "schedule": "constant", "weight_decay": 0.0}
    fields = {"graph": TINY[name], "model": MODELS["node2vec"], "optim": optim}
    return fit({**fields, "train.steps": 3000, "train.eval_every": 3000}).embedding


def headroom(seeds, broken):
    """5: Node2Vec has less noise than the others."""
    worse, better = (0.0, 0.3) if broken == 0 else (0.3, 0.0)
    return tiny(seeds, lambda model: better if model == "node2vec" else worse)


def knobs(seeds, broken):
    """11: one knob at a time from a large start, and self-edges from a small one."""
    base = HALF if broken == 0 else ASSOCIATIVE
    turned = (  # learning rate, weight decay, dropout
        (base, 1e-3, 0.0, 0.0),
        (base if broken == 1 else GEOMETRIC, 1e-1, 0.0, 0.0),
        (base if broken == 2 else GEOMETRIC, 1e-3, 10.0, 0.0),
        (base if broken == 3 else GEOMETRIC, 1e-3, 0.0, 0.4),
    )
    found = []
    for angle, rate, decay, dropout in turned:
        model = LINEAR | {"token_std": 1.0, "dropout": dropout}
        optim = {"lr": rate, "weight_decay": decay}
        found += made(seeds, one_map(angle), TINY["cycle"], EDGES, model, optim)
    for selves in (False, True):
        own = one_map(GEOMETRIC, positive=selves and broken != 4)
        found += made(seeds, own, TINY["cycle"], EDGES | {"self_edges": selves}, LINEAR)
    return found


def one_map(angle, positive=False):
    """Embeddings E and a map W with E W Eᵀ the adjacency of the cycle.

    E's axes are the eigenvectors of the graph, turned by an angle: by 0 all of the margin lies
    along them. positive: E is small where eigenvalues are negative.
    """
    at = np.arange(15)
    near = np.abs(at[:, None] - at[None]) % 13 == 1
    values, vectors = np.linalg.eigh(near.astype(float))
    turn = np.random.default_rng(0).standard_normal((15, 15))
    axes = vectors @ expm(angle * (turn - turn.T))
    sizes = np.where(positive & (values < 0), 0.1, 1) * np.linspace(1, 2, 15)
    inside = axes / sizes
    return {"embedding": axes * sizes, "parameters/map0": inside.T @ near @ inside}
