"""Finding 9: next-token training fails in-context, other targets do not."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from geomem.analysis.findings.choice import choose
from geomem.analysis.findings.dots import dots
from geomem.analysis.findings.finding import Check, Finding
from geomem.analysis.findings.measures import final, per_run
from geomem.analysis.findings.rules import all_or_none, every_at_most, median_at_least
from geomem.analysis.findings.settings import best, on_one_graph
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IN_CONTEXT = {"task.kind": "in_context", "task.target": "full_path"}
NEXT_TOKEN = {**IN_CONTEXT, "task.teacherless": False, "task.reverse_paths": False}
EASED: dict[str, Mapping[str, object]] = {
    "teacherless": {**IN_CONTEXT, "task.teacherless": True, "task.reverse_paths": False},
    "reversed targets": {**IN_CONTEXT, "task.teacherless": False, "task.reverse_paths": True},
}
MARGIN, LEARNED = 0.1, 0.9
exact = final("exact_match")
above_chance = per_run(
    "metrics/first_hop",
    lambda m: (m.final("first_hop") if m.done else 0.0) - 1 / m.config["graph"]["arms"],
)


def _sides(members: Sequence[Member]) -> list[list[Member]]:
    eased = [m for fields in EASED.values() for m in choose(members, fields)]
    return on_one_graph(choose(members, NEXT_TOKEN), eased)


def _checks(members: Sequence[Member]) -> list[Check]:
    plain, eased = _sides(members)
    return all_or_none(
        [
            every_at_most(
                "next-token: first-hop accuracy less chance", best(plain, above_chance), MARGIN
            ),
            median_at_least(
                "teacherless or reversed targets: exact match", best(eased, exact), LEARNED
            ),
        ]
    )


def _figure(members: Sequence[Member]) -> "Figure | None":
    kinds = {"next-token": NEXT_TOKEN, **EASED}
    sizes = sorted({m.config["graph"]["arms"] for m in choose(members, IN_CONTEXT)})
    panels, chance = {}, {}
    for size in sizes:
        name = f"accuracy of unseen graphs of {size} arms, exact match (share)"
        found = {
            kind: best(choose(members, fields, {"graph.arms": size}), exact)
            for kind, fields in kinds.items()
        }
        panels[name] = {k: list(s.by_seed.values()) for k, s in found.items() if s.by_seed}
        chance[name] = 1 / size
    return dots(panels, "In-context path-star by training target; dotted: chance", chance)


IN_CONTEXT_FAILS = Finding(
    "9",
    "In-context, next-token training stays at chance",
    "next-token training fails at chance, 1 / arms; teacherless and reversed targets succeed",
    "On one graph: held-out first-hop accuracy of next-token training is at most "
    f"{MARGIN:g} above chance (1 / arms) in every seed, while teacherless or reversed targets "
    f"reach a median exact match of at least {LEARNED:g}.",
    _checks,
    _figure,
)
