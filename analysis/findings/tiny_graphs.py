"""Findings 3b and 5: geometry from the edges of tiny graphs alone, and Node2Vec's cleaner one."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from geomem.analysis.figures.points import embeddings
from geomem.analysis.findings.choice import NAMES, TINY, choose, tiny
from geomem.analysis.findings.dots import dots
from geomem.analysis.findings.embedded import far_order
from geomem.analysis.findings.finding import Check, Finding
from geomem.analysis.findings.measures import of_embedding
from geomem.analysis.findings.rules import median_at_least, median_at_most, most_above
from geomem.analysis.findings.settings import Setting, best, best_group, difference, together
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEEP = ("transformer", "mamba", "feed_forward")
CONTROL, NODE2VEC = "associative control", "Node2Vec"
FIELDS: dict[str, Mapping[str, object]] = {
    **{NAMES[kind]: {"model.kind": kind, "model.freeze_embeddings": False} for kind in DEEP},
    CONTROL: {"model.kind": "feed_forward", "model.freeze_embeddings": True},
    NODE2VEC: {"model.kind": "node2vec", "model.tie": True},
}
LEAST, MOST, MOST_DECAY = 0.15, 0.1, 0.01
order = of_embedding("far", far_order)
Found = Mapping[str, Mapping[str, Setting]]


def _runs(members: Sequence[Member]) -> dict[str, dict[str, list[Member]]]:
    """By model and graph; of deep models those that were trained as usual."""
    usual = {"task.self_edges": False, "model.dropout": 0.0}
    own = [m for m in choose(members, usual) if m.config["optim"]["weight_decay"] <= MOST_DECAY]
    found = tiny(own)
    return {
        model: {name: choose(found.get(name, []), fields) for name in TINY}
        for model, fields in FIELDS.items()
    }


def _settings(members: Sequence[Member]) -> Found:
    """By model and graph, the configuration that stands for it; nothing where there is none."""
    return {
        model: {name: best(own, order) for name, own in by_graph.items()}
        for model, by_graph in _runs(members).items()
    }


def _from_edges(members: Sequence[Member]) -> list[Check]:
    found = _settings(members)
    worst = {
        name: together(list(found[name].values()), f"{name}, four tiny graphs", min)
        for name in (NAMES[kind] for kind in DEEP)
    }
    checks = [
        median_at_least(f"{name}: Spearman on the worst of the tiny graphs", setting, LEAST)
        for name, setting in worst.items()
    ]
    mean = together(list(found[CONTROL].values()), f"{CONTROL}, four tiny graphs", statistics.fmean)
    checks.append(median_at_most(f"{CONTROL}: mean Spearman over the tiny graphs", mean, MOST))
    return checks


def _cleaner(members: Sequence[Member]) -> list[Check]:
    found = _settings(members)
    ahead = []
    for graph in TINY:
        deep = [found[NAMES[kind]][graph] for kind in DEEP]
        ahead.append(difference(found[NODE2VEC][graph], together(deep, "the best deep model", max)))
    what = "Spearman of Node2Vec less that of the best deep model, the worst of the tiny graphs"
    label = f"{NODE2VEC} − the best deep model, four tiny graphs"
    return [most_above(what, together(ahead, label, min))]


def _side_by_side(members: Sequence[Member]) -> "Figure | None":
    found = _settings(members)
    panels = {
        f"Spearman with hop distance, {graph}": {
            model: list(of[graph].by_seed.values())
            for model, of in found.items()
            if of[graph].by_seed
        }
        for graph in TINY
    }
    return dots(panels, "How well embeddings follow the graph beyond its edges")


def _planes(members: Sequence[Member]) -> "Figure | None":
    shown = [of for by_graph in _runs(members).values() for of in by_graph.values()]
    return embeddings([member for own in shown for member in best_group(own, order)])


FROM_EDGES = Finding(
    "3b",
    "Geometry arises from edges alone",
    "every model draws the tiny graphs; the associative control does not",
    "Spearman correlation of cosine distance with hop distance, of nodes that no edge joins, on "
    "path-star, grid, cycle and irregular graph of at most 64 nodes: on the worst of the four a "
    f"median of at least {LEAST:g} for Transformer, Mamba and feed-forward net; of the associative "
    f"control the mean over the four has a median of at most {MOST:g}. No self-edges, no dropout, "
    f"weight decay of at most {MOST_DECAY:g}.",
    _from_edges,
    _planes,
)
HEADROOM = Finding(
    "5",
    "Node2Vec's geometry is cleaner than that of deep models",
    "Node2Vec's embeddings follow the graph more closely: headroom",
    "The same correlation: Node2Vec's exceeds that of the best deep model on each of the four tiny "
    "graphs in at least 80 % of seeds. The same runs: self-edges, dropout and decay can make "
    "deep models' geometry as clean (finding 11).",
    _cleaner,
    _side_by_side,
)
