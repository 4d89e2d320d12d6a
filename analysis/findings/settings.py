"""Which configuration stands for the runs that a check is about, and the values of its seeds."""

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from geomem.analysis.figures.groups import Group, grouped
from geomem.analysis.findings.choice import nodes
from geomem.analysis.findings.finding import MIN_SEEDS
from geomem.analysis.sweeps import Member
from geomem.train.sweep.results import Value, flatten

Measure = Callable[[Sequence[Member]], Mapping[str, float]]
"""The value of each run, by its id; a run in which it has no meaning is left out, or NaN."""


class Setting(NamedTuple):
    """A configuration and the values of its seeds; empty where there is none."""

    label: str
    by_seed: Mapping[int, float]


NOTHING = Setting("", {})


def best_group(
    members: Sequence[Member], measure: Measure, highest: bool = True
) -> Sequence[Member]:
    """The runs of the configuration that stands for all of these: the best median of enough seeds.

    So what succeeds may have been tuned, and of what fails even the best has to fail. Without a
    configuration of enough seeds it is that with most of them; empty where no run has a value.
    """
    groups = [(group, setting_of(group, measure)) for group in _configurations(members)]
    known = [(group, setting) for group, setting in groups if setting.by_seed]
    enough = [pair for pair in known if len(pair[1].by_seed) >= MIN_SEEDS]
    sign = 1 if highest else -1
    if enough:
        median = statistics.median
        return max(enough, key=lambda pair: sign * median(pair[1].by_seed.values()))[0].members
    return max(known, key=lambda pair: len(pair[1].by_seed))[0].members if known else ()


def best(members: Sequence[Member], measure: Measure, highest: bool = True) -> Setting:
    """The values of the configuration that stands for all of these runs."""
    return measured(best_group(members, measure, highest), measure)


def measured(members: Sequence[Member], measure: Measure) -> Setting:
    """The values of runs of one configuration."""
    groups = _configurations(members)
    return setting_of(groups[0], measure) if groups else NOTHING


def setting_of(group: Group, measure: Measure) -> Setting:
    """The values of the seeds that have one, by seed."""
    values = measure(group.members)
    found = {m.config["seed"]: values.get(m.row["run"], math.nan) for m in group.members}
    known = {seed: found[seed] for seed in sorted(found) if not math.isnan(found[seed])}
    return Setting(f"{group.label}, {group.graph}", known) if known else NOTHING


def _configurations(members: Sequence[Member]) -> list[Group]:
    """Diverged runs count: they are told apart from others by their values."""
    return grouped(members, only_done=False)


def seeds_of(members: Sequence[Member]) -> int:
    """The most seeds that a configuration of these runs has."""
    return max((len(group.members) for group in _configurations(members)), default=0)


def largest(members: Sequence[Member], size: Callable[[Member], int]) -> list[Member]:
    """The runs of the largest size that was trained with enough seeds, else of the largest."""
    by_size: dict[int, list[Member]] = {}
    for member in members:
        by_size.setdefault(size(member), []).append(member)
    enough = [at for at, own in by_size.items() if seeds_of(own) >= MIN_SEEDS]
    return by_size[max(enough or by_size)] if by_size else []


def on_one_graph(*sides: Sequence[Member]) -> list[list[Member]]:
    """Each side's runs on the largest graph that all sides have with enough seeds, else none."""
    graphs = [{_graph(m): nodes(m) for m in side} for side in sides]
    shared = {graph: size for graph, size in graphs[0].items() if all(graph in g for g in graphs)}
    for graph in sorted(shared, key=lambda graph: -shared[graph]):
        found = [[m for m in side if _graph(m) == graph] for side in sides]
        if min(map(seeds_of, found)) >= MIN_SEEDS:
            return found
    return [[] for _ in sides]


def _graph(member: Member) -> str:
    return json.dumps(member.config["graph"], sort_keys=True)


def families(members: Sequence[Member], field: str) -> list[dict[Value, list[Member]]]:
    """Runs that agree in all but their seed and one field: by the values of that field."""
    found: dict[str, dict[Value, list[Member]]] = {}
    for member in members:
        rest = {k: v for k, v in flatten(member.config).items() if k not in ("seed", field)}
        family = found.setdefault(json.dumps(rest, sort_keys=True), {})
        family.setdefault(member.row[field], []).append(member)
    return list(found.values())


def difference(a: Setting, b: Setting) -> Setting:
    """Seed by seed, a less b, of the seeds that both have."""
    both = {seed: a.by_seed[seed] - b.by_seed[seed] for seed in a.by_seed if seed in b.by_seed}
    known = {seed: value for seed, value in both.items() if not math.isnan(value)}
    return Setting(f"{a.label} − {b.label}", known) if known else NOTHING


def together(
    found: Sequence[Setting], label: str, of: Callable[[Sequence[float]], float]
) -> Setting:
    """Seed by seed the least, mean or other of several settings; nothing if one has no value."""
    seeds = set.intersection(*(set(setting.by_seed) for setting in found)) if found else set()
    values = {s: of([setting.by_seed[s] for setting in found]) for s in sorted(seeds)}
    return Setting(label, values) if values else NOTHING
