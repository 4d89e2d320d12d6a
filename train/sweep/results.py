"""Results of a sweep as rows: one per run, with its configuration and its last measures."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from geomem.train.config.graph import EdgeList, Text
from geomem.train.packs import Pack
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.state import State, Status, require_plan
from geomem.train.sweep.store import current_packs

Value = str | int | float | bool | None
PREFIX = "metrics/"
_FILES = [pair for graph in (EdgeList, Text) for pair in graph.FILES.items()]
PLACES = tuple(f"graph.{place}" for place, _ in _FILES)
DIGESTS = tuple(f"graph.{digest}" for _, digest in _FILES)
"""Fields that say where the files of graphs are, and what is in them."""


@dataclass(frozen=True)
class Row:
    """One run. `fields` are dotted names of its configuration; `metrics` may lack some.

    A measure per target position has one entry per position: target_accuracy.0, .1, ...
    """

    run: str
    status: Status
    steps: int | None
    fields: dict[str, Value]
    metrics: dict[str, float]


def read_rows(folder: Folder, state: State) -> list[Row]:
    """The runs of the grid, in its order.

    Raises PackError for a damaged pack, StoreError for a plan that lacks runs.
    """
    require_plan(folder, state)
    measured: dict[str, dict[str, float]] = {}
    trained: dict[str, Any] = {}
    for pack, members in current_packs(folder, state):
        metrics = final_metrics(pack)
        measured |= {run: metrics[member] for member, run in members}
        trained |= {run: pack.members[member]["config"] for member, run in members}
    return [
        # A pack knows what it was trained with, and is checked; a plan can be edited.
        _row(state, run, trained.get(run, state.line_of[run].config), measured.get(run, {}))
        for run in state.runs
    ]


def _row(state: State, run: str, config: Mapping[str, Any], metrics: dict[str, float]) -> Row:
    result = state.results.get(run)
    steps = result.commit.members[result.member].steps if result else None
    return Row(run, state.status(run), steps, flatten(config), metrics)


def final_metrics(pack: Pack) -> list[dict[str, float]]:
    """The last finite value of each measure, per member."""
    members: list[dict[str, float]] = [{} for _ in pack.members]
    for name in pack.names:
        if name.startswith(PREFIX) and name not in pack.shared:
            last = _last_finite(pack.tensor(name))
            for metrics, value in zip(members, last, strict=True):
                metrics.update(_named(name.removeprefix(PREFIX), value))
    return members


def _named(name: str, value: npt.NDArray[Any]) -> dict[str, float]:
    values = {name: value} if value.ndim == 0 else {f"{name}.{i}": v for i, v in enumerate(value)}
    return {name: float(v) for name, v in values.items() if np.isfinite(v)}


def _last_finite(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[K, points, ...] -> [K, ...]; NaN where nothing is finite."""
    last = np.full(array.shape[:1] + array.shape[2:], np.nan)
    for point in range(array.shape[1]):
        np.copyto(last, array[:, point], where=np.isfinite(array[:, point]))
    return last


def flat_fields(member: Mapping[str, Any]) -> dict[str, Value]:
    """run (id), status, steps and the flat configuration of what a pack says of a member."""
    named: dict[str, Value] = {name: member[name] for name in ("run", "status", "steps")}
    return named | flatten(member["config"])


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Value]:
    """Dotted names of nested fields; lists become JSON, and absent sections are left out."""
    flat: dict[str, Value] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        elif prefix or value is not None:
            flat[prefix + key] = json.dumps(value) if isinstance(value, list) else value
    return flat


def varying(rows: Sequence[Row]) -> list[str]:
    """Names of the fields that are not the same in all rows, in the order of the configuration."""
    names = in_order(row.fields for row in rows)
    missing = object()
    return [n for n in names if len({row.fields.get(n, missing) for row in rows}) > 1]


def telling(rows: Sequence[Row]) -> list[str]:
    """The varying fields, less the seed and those that the kind of their section decides.

    Of digests and places of files, which are long, those alone that no other field tells apart.
    """
    found = [name for name in varying(rows) if name != "seed" and _tells(name, rows)]
    for name in (*DIGESTS, *PLACES):
        others = [other for other in found if other != name]
        if name in found and _kinds(others, rows) == _kinds(found, rows):
            found = others
    return found


def _kinds(fields: Sequence[str], rows: Sequence[Row]) -> int:
    """How many rows these fields tell apart."""
    return len({tuple(row.fields.get(name) for name in fields) for row in rows})


def _tells(name: str, rows: Sequence[Row]) -> bool:
    kind = f"{name.partition('.')[0]}.kind"
    seen: dict[Value, Value] = {}
    return name == kind or any(
        seen.setdefault(row.fields.get(kind), row.fields.get(name)) != row.fields.get(name)
        for row in rows
    )


def in_order(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """All keys, once each, in the order of their first appearance."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def as_records(rows: Sequence[Row]) -> list[dict[str, Value]]:
    """One flat record per row, all with the same keys: what varies first, measures last."""
    changing = varying(rows)
    fixed = [name for name in in_order(row.fields for row in rows) if name not in changing]
    metrics = in_order(row.metrics for row in rows)
    return [
        {"run": row.run, "status": row.status, "steps": row.steps}
        | {name: row.fields.get(name) for name in changing + fixed}
        | {name: row.metrics.get(name) for name in metrics}
        for row in rows
    ]
