"""Finding 11: which settings of the training move memory between associative and geometric.

One linear layer W on a cycle, logit(v|u) = e_u W e_v. A share of the edge margin lies along the
embeddings' own axes (the skewed margin): geometric memory has nearly all of it there, associative
memory none.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from geomem.analysis.findings.choice import TINY_NODES, choose, nodes
from geomem.analysis.findings.embedded import memory
from geomem.analysis.findings.finding import Check, Finding
from geomem.analysis.findings.knob_figure import Lines, knob_panels
from geomem.analysis.findings.measures import of_embedding
from geomem.analysis.findings.rules import median_at_most, most_above
from geomem.analysis.findings.settings import NOTHING, Measure, Setting, best, families
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CYCLE = {
    "task.kind": "in_weights",
    "task.recipe": "edges_only",
    "task.edges": "both",
    "graph.kind": "cycle",
    "model.kind": ("feed_forward", "transformer", "mamba"),
    "model.freeze_embeddings": False,
}
LINEAR = {"model.kind": "feed_forward", "model.layers": 1, "model.tie": True}
NO_DECAY, NO_DROPOUT = {"optim.weight_decay": 0.0}, {"model.dropout": 0.0}
LARGE_START, SMALL_RATE, NOT_GEOMETRIC, REMOVED = 0.5, 1e-3, 0.1, 0.1
skewed = of_embedding("skewed", memory, "execution.parameters and every edge recovered")
negative = of_embedding("negative", memory)


def _own(members: Sequence[Member], large: bool) -> list[Member]:
    """Runs on cycles from large embeddings, the "non-geometric" start, or from small ones."""
    own = [m for m in choose(members, CYCLE) if nodes(m) <= TINY_NODES]
    return [m for m in own if (m.config["model"]["token_std"] >= LARGE_START) == large]


def moved(members: Sequence[Member], field: str, measure: Measure, sign: int = 1) -> Setting:
    """Seed by seed, the measure at a field's highest value less that at its lowest, times `sign`.

    The mean over all pairs of runs that agree in every other field and both have a value.
    """
    values = measure(members) if members else {}
    by_seed: dict[int, list[float]] = {}
    seeds: set[int] = set()
    for family in families(members, field):
        if len(family) > 1:
            ends = sorted(family)[:: len(family) - 1]  # type: ignore[type-var]
            seeds |= set.intersection(*({m.config["seed"] for m in family[end]} for end in ends))
            low, high = (_by_seed(family[end], values) for end in ends)
            for seed in low.keys() & high.keys():
                by_seed.setdefault(seed, []).append(sign * (high[seed] - low[seed]))
    means = {seed: sum(found) / len(found) for seed, found in sorted(by_seed.items())}
    label = f"{field}: highest less lowest, all else equal"
    return Setting(label, means, frozenset(seeds), measure.needs) if seeds else NOTHING


def _by_seed(members: Sequence[Member], values: Mapping[str, float]) -> dict[int, float]:
    known = [(m.config["seed"], values.get(m.row["run"], float("nan"))) for m in members]
    return {seed: value for seed, value in known if value == value}


def _checks(members: Sequence[Member]) -> list[Check]:
    start = choose(_own(members, large=True), LINEAR)
    plain = choose(start, NO_DECAY, NO_DROPOUT)
    slow = [m for m in plain if m.config["optim"]["lr"] <= SMALL_RATE]
    more = "share of the edge margin that is geometric, gained by"
    return [
        median_at_most(
            "large start, small learning rate: share of the edge margin that is geometric",
            best(slow, skewed),
            NOT_GEOMETRIC,
        ),
        most_above(f"{more} a large learning rate", moved(plain, "optim.lr", skewed)),
        most_above(
            f"{more} weight decay",
            moved(choose(start, NO_DROPOUT), "optim.weight_decay", skewed),
        ),
        most_above(f"{more} dropout", moved(choose(start, NO_DECAY), "model.dropout", skewed)),
        most_above(
            "energy on negative eigenvalues, removed by self-edges (small start)",
            moved(_own(members, large=False), "task.self_edges", negative, sign=-1),
            REMOVED,
        ),
    ]


def _figure(members: Sequence[Member]) -> "Figure | None":
    large, small = (choose(_own(members, size), LINEAR) for size in (True, False))
    alone = {"task.self_edges": False}
    knobs: Lines = {
        "plain": lambda m: not _decays(m) and not _drops(m),
        "weight decay": lambda m: _decays(m) and not _drops(m),
        "dropout": lambda m: _drops(m) and not _decays(m),
        "both": lambda m: _decays(m) and _drops(m),
    }
    edges: Lines = {
        "no self-edges": lambda m: not m.config["task"]["self_edges"],
        "self-edges": lambda m: m.config["task"]["self_edges"],
    }
    geometric = "geometric share of the edge margin"
    return knob_panels(
        {
            f"{geometric}, large start": (choose(large, alone), skewed, knobs),
            f"{geometric}, small start": (choose(small, alone), skewed, knobs),
            "energy on negative eigenvalues, small start": (small, negative, edges),
        }
    )


def _decays(member: Member) -> bool:
    return bool(member.config["optim"]["weight_decay"] > 0)


def _drops(member: Member) -> bool:
    return bool(member.config["model"]["dropout"] > 0)


KNOBS = Finding(
    "11",
    "Knobs move memory between associative and geometric",
    "large learning rate, weight decay and dropout push to geometry; a large (non-geometric) start "
    "at a small learning rate stays associative; self-edges remove negative eigen-directions",
    "One linear layer on a cycle that recovers every edge; the geometric share of its edge margin "
    "is that of the map's part along the embeddings' own axes. From a large start (token_std at "
    f"least {LARGE_START:g}) at lr {SMALL_RATE:g} or less, without decay and dropout, its median "
    f"is at most {NOT_GEOMETRIC:g}. It grows with the largest lr against the smallest, with weight "
    "decay and with dropout, all else equal, in at least 80 % of seeds. Self-edges take at least "
    f"{REMOVED:g} of the embeddings' energy off negative eigenvalues of (W + Wᵀ)/2, W = D⁻¹A, in "
    "at least 80 % of seeds (small start). Needs execution.parameters.",
    _checks,
    _figure,
)
