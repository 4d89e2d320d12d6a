"""Which configuration stands for the runs that a check is about, and the values of its seeds."""

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from geomem.analysis.figures.groups import Group, grouped
from geomem.analysis.findings.choice import nodes
from geomem.analysis.findings.finding import MIN_SEEDS
from geomem.analysis.sweeps import Member
from geomem.train.sweep.results import Value, flatten


@dataclass(frozen=True)
class Measure:
    """The value of each run, by its id; a run in which it has no meaning is left out, or NaN.

    needs: what a run has to have for a value, empty where every run of the kind has one.
    """

    of: Callable[[Sequence[Member]], Mapping[str, float]]
    needs: str = ""

    def __call__(self, members: Sequence[Member]) -> Mapping[str, float]:
        """The values of these runs."""
        return self.of(members)


class Setting(NamedTuple):
    """A configuration and the values of its seeds; empty where there is none.

    seeds: those that were run, with a value or not; needs: what a run has to have for a value.
    """

    label: str
    by_seed: Mapping[int, float]
    seeds: frozenset[int] = frozenset()
    needs: str = ""


NOTHING = Setting("", {})


def best_group(
    members: Sequence[Member], measure: Measure, highest: bool = True
) -> Sequence[Member]:
    """The runs of the configuration that stands for all of these: the best median of enough seeds.

    So what succeeds may have been tuned, and of what fails even the best has to fail. Without a
    configuration of enough seeds it is that with most values, then with most runs.
    """
    groups = [(group, setting_of(group, measure)) for group in _configurations(members)]
    enough = [pair for pair in groups if len(pair[1].by_seed) >= MIN_SEEDS]
    sign = 1 if highest else -1
    if enough:
        median = statistics.median
        return max(enough, key=lambda pair: sign * median(pair[1].by_seed.values()))[0].members
    most = max(groups, key=lambda pair: (len(pair[1].by_seed), len(pair[1].seeds)), default=None)
    return most[0].members if most else ()


def best(members: Sequence[Member], measure: Measure, highest: bool = True) -> Setting:
    """The values of the configuration that stands for all of these runs."""
    return measured(best_group(members, measure, highest), measure)


def measured(members: Sequence[Member], measure: Measure) -> Setting:
    """The values of runs of one configuration."""
    return side_by_side([members], measure)[0]


def side_by_side(sides: Sequence[Sequence[Member]], measure: Measure) -> list[Setting]:
    """The values of runs of one configuration a side; the labels name what differs."""
    groups = _configurations([member for side in sides for member in side])
    group_of = {member.row["run"]: group for group in groups for member in group.members}
    return [
        setting_of(group_of[side[0].row["run"]], measure) if side else NOTHING for side in sides
    ]


def setting_of(group: Group, measure: Measure) -> Setting:
    """The values of the seeds that have one, by seed."""
    values = measure(group.members)
    found = {m.config["seed"]: values.get(m.row["run"], math.nan) for m in group.members}
    known = {seed: found[seed] for seed in sorted(found) if not math.isnan(found[seed])}
    return Setting(f"{group.label}, {group.graph}", known, frozenset(found), measure.needs)


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
    """Each side's runs on one graph: empty for a side that has none there.

    It is the largest that most sides have with enough seeds, else that with most of them. All are
    empty where no graph has runs of two sides to compare.
    """
    graphs = dict.fromkeys(_graph(member) for side in sides for member in side)
    found = [[[m for m in side if _graph(m) == graph] for side in sides] for graph in graphs]
    return max(
        (own for own in found if _present(own) > 1),
        key=lambda own: (_present(own), _fewest(own), nodes(next(filter(None, own))[0])),
        default=[[] for _ in sides],
    )


def _present(sides: Sequence[Sequence[Member]]) -> int:
    return sum(map(bool, sides))


def _fewest(sides: Sequence[Sequence[Member]]) -> int:
    """The seeds of the side with fewest, of those that have any; no more than are needed."""
    return min(MIN_SEEDS, *(seeds_of(side) for side in sides if side))


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
    return _joined([a, b], f"{a.label} − {b.label}", known)


def together(
    found: Sequence[Setting], label: str, of: Callable[[Sequence[float]], float]
) -> Setting:
    """Seed by seed the least, mean or other of several settings; nothing if one has no value."""
    seeds = set.intersection(*(set(setting.by_seed) for setting in found)) if found else set()
    values = {s: of([setting.by_seed[s] for setting in found]) for s in sorted(seeds)}
    return _joined(found, label, values)


def _joined(found: Sequence[Setting], label: str, values: Mapping[int, float]) -> Setting:
    """Values of several settings together, whose seeds are those that all of them have."""
    seeds = frozenset.intersection(*(setting.seeds for setting in found)) if found else frozenset()
    needs = next((setting.needs for setting in found if setting.needs), "")
    return Setting(label, values, seeds, needs) if values or seeds else NOTHING
