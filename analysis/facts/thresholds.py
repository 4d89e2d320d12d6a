"""How wide a model or its MLP has to be, for every number of subjects and relations."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from geomem.train.sweep.results import Row, Value

SUBJECTS, RELATIONS = "task.subjects", "task.relations"
WIDTHS = {"width": "model.width", "mlp_width": "model.mlp_width"}
"""What a threshold can be over: the width of the embeddings, or neurons of the MLP."""
METRICS = {"memorised": "accuracy", "generic": "zero_shot"}
"""Kinds of thresholds, and the measure that has to reach a level."""
LEVELS = {"memorised": 0.99, "generic": 0.9}


class Crossing(NamedTuple):
    """The width at which a level is reached.

    bound: 0 where it lies between two widths, -1 where the narrowest run reaches the level, 1
    where none does; width is then that of the narrowest or the widest run.
    """

    width: float
    bound: int


@dataclass(frozen=True)
class Threshold:
    """Crossings of one configuration, by seed; fields: all of it but that width and the seed."""

    kind: str
    fields: Mapping[str, Value]
    crossings: Mapping[int, Crossing]

    @property
    def exact(self) -> bool:
        """Whether every seed crossed within the widths that were tried."""
        return all(c.bound == 0 for c in self.crossings.values())

    @property
    def median(self) -> float:
        """Of the seeds' widths."""
        return float(np.median([c.width for c in self.crossings.values()]))

    @property
    def size(self) -> tuple[float, float]:
        """Numbers of subjects and relations."""
        subjects, relations = self.fields[SUBJECTS], self.fields[RELATIONS]
        assert isinstance(subjects, int)
        assert isinstance(relations, int)
        return float(subjects), float(relations)


def crossing(points: Mapping[float, float], level: float) -> Crossing:
    """Where values, by width, first reach the level, linearly between the two widths around it."""
    widths = sorted(points)
    at = next((i for i, width in enumerate(widths) if points[width] >= level), len(widths))
    if at in (0, len(widths)):
        return Crossing(widths[min(at, len(widths) - 1)], 1 if at else -1)
    low, high = widths[at - 1], widths[at]
    share = (level - points[low]) / (points[high] - points[low])
    return Crossing(low + share * (high - low), 0)


def thresholds(
    rows: Sequence[Row], levels: Mapping[str, float], over: str = "width"
) -> list[Threshold]:
    """Of each kind in `levels`, of each configuration that was run with several widths.

    over: one of `WIDTHS`.
    """
    found, name = [], WIDTHS[over]
    for fields, seeds in _curves([row for row in rows if name in row.fields], name):
        for kind, level in levels.items():
            points = {s: _points(members, METRICS[kind], name) for s, members in seeds.items()}
            crossings = {s: crossing(own, level) for s, own in points.items() if len(own) > 1}
            if crossings:
                found.append(Threshold(kind, fields, crossings))
    return found


def _points(rows: Sequence[Row], metric: str, width: str) -> dict[float, float]:
    done = (row for row in rows if row.status == "done" and metric in row.metrics)
    return {float(row.fields[width] or 0): row.metrics[metric] for row in done}


def _curves(rows: Sequence[Row], width: str) -> list[tuple[dict[str, Value], dict[int, list[Row]]]]:
    """Runs that differ in width alone, by seed, with what they have in common."""
    found: dict[str, tuple[dict[str, Value], dict[int, list[Row]]]] = {}
    for row in rows:
        fields = {name: v for name, v in row.fields.items() if name not in (width, "seed")}
        _, seeds = found.setdefault(json.dumps(fields, sort_keys=True), (fields, {}))
        seeds.setdefault(int(row.fields["seed"] or 0), []).append(row)
    return list(found.values())
