"""Laws of the width in N subjects and R relations, fitted to thresholds."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from geomem.analysis.arrays import Floats
from geomem.analysis.facts.thresholds import RELATIONS, SUBJECTS, Threshold
from geomem.train.sweep.results import Value

LEAST_POINTS = 3
_NAN = float("nan")


class Fit(NamedTuple):
    """width = scale R^relations N^subjects, or log N in the place of N where the law says so.

    r2: of the logarithm of the width, against its mean; points: thresholds that it is made of;
    low, high: exponent of N over the seeds, each fitted alone (NaN where the law fixes it).
    """

    kind: str
    law: str
    scale: float
    relations: float
    subjects: float
    low: float
    high: float
    r2: float
    points: int
    fields: Mapping[str, Value]

    def width(self, subjects: Floats, relations: float) -> Floats:
        """What the law says."""
        of_subjects = np.log(subjects) if self.law == "R log N" else subjects
        found: Floats = self.scale * relations**self.relations * of_subjects**self.subjects
        return found


def fits(found: Sequence[Threshold]) -> list[Fit]:
    """R log N, N R and a free power law, of each family of thresholds that differ in N and R alone.

    Thresholds that some seed did not cross within its widths are left out.
    """
    exact = [threshold for threshold in found if threshold.exact]
    large = (family for family in families(exact) if len(family) >= LEAST_POINTS)
    return [fit for family in large for fit in _fits(family)]


def families(found: Sequence[Threshold]) -> list[list[Threshold]]:
    """Thresholds of one kind that differ in N and R alone stand together."""
    together: dict[str, list[Threshold]] = {}
    for threshold in found:
        key = json.dumps([threshold.kind, _family(threshold)], sort_keys=True)
        together.setdefault(key, []).append(threshold)
    return list(together.values())


def _family(threshold: Threshold) -> dict[str, Value]:
    return {n: v for n, v in threshold.fields.items() if n not in (SUBJECTS, RELATIONS)}


def _fits(family: Sequence[Threshold]) -> list[Fit]:
    sizes = np.array([threshold.size for threshold in family])
    width = np.log([threshold.median for threshold in family])
    subjects, relations = np.log(sizes).T

    def made(law: str, scale: float, b: float, c: float, r2: float, each: Sequence[float]) -> Fit:
        low, high = (min(each), max(each)) if each else (_NAN, _NAN)
        first = family[0]
        return Fit(
            first.kind, law, float(np.exp(scale)), b, c, low, high, r2, len(family), _family(first)
        )

    laws = {"R log N": relations + np.log(subjects), "N R": relations + subjects}
    found = []
    for law, shape in laws.items():
        scale = float((width - shape).mean())
        found.append(made(law, scale, 1.0, 1.0, _explained(width, shape + scale), ()))
    columns = np.stack([np.ones(len(width)), relations, subjects], 1)
    if np.linalg.matrix_rank(columns) == columns.shape[1]:
        best = np.linalg.lstsq(columns, width)[0]
        each = [float(np.linalg.lstsq(columns, np.log(own))[0][2]) for own in _of_each_seed(family)]
        scale, b, c = map(float, best)
        found.append(made("power law", scale, b, c, _explained(width, columns @ best), each))
    return found


def _of_each_seed(family: Sequence[Threshold]) -> list[list[float]]:
    """The widths of every seed that all thresholds of the family have."""
    seeds = set.intersection(*(set(threshold.crossings) for threshold in family))
    return [[threshold.crossings[seed].width for threshold in family] for seed in sorted(seeds)]


def _explained(values: Floats, found: Floats) -> float:
    total = ((values - values.mean()) ** 2).sum()
    return float(1 - ((values - found) ** 2).sum() / total) if total else _NAN
