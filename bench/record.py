"""The result of a benchmark run, as rows and as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from geomem.bench.timing import Timing
from geomem.bench.variants import Check, Op, Point, Variant
from geomem.train.packs import DiskError, atomic_write, make_folder, probe_folder

FORMAT = 1


@dataclass
class Row:
    """One variant in one pass at one point; what is unknown is None or missing.

    status: "ok", "wrong: <regimes>" (timed all the same), or why there is no figure. errors:
    "regime.tensor" -> relative error against fp64. seconds: p20, p50, p80 and samples.
    """

    op: str
    sizes: dict[str, int]
    variant: str
    at: str
    status: str
    note: str = ""
    errors: dict[str, float] = field(default_factory=dict)
    extra_bytes: int | None = None
    extra_share: float | None = None
    seconds: dict[str, float] | None = None
    timed_by: str = ""
    sets: int = 0
    figures: dict[str, float] = field(default_factory=dict)


def make_row(
    op: Op,
    point: Point,
    variant: Variant,
    at: str,
    found: Check,
    timing: Timing | None,
    device: str,
    ceilings: Mapping[str, float],
) -> Row:
    """Join what the check and the timing of a variant said."""
    row = Row(op.name, dict(point.sizes), variant.name, at, found.status, variant.note)
    row.errors, row.extra_bytes = found.errors, found.extra_bytes
    if found.extra_bytes is not None:
        row.extra_share = op.memory_share(point, device, found.extra_bytes)
    if timing is not None:
        row.seconds, row.timed_by, row.sets = timing.seconds, timing.timed_by, timing.sets
        if timing.status != "ok":
            row.status = timing.status
        if timing.alone:
            row.note = ", ".join(filter(None, [row.note, "timed alone: no memory beside others"]))
    if row.seconds is not None:
        row.figures = op.figures(point, at, row.seconds["p50"], device, ceilings)
    return row


def compare_with_ours(rows: Sequence[Row]) -> None:
    """Give every timed row its median in units of that of "geomem" in the same size and pass."""
    ours = {_place(row): row.seconds for row in rows if row.variant == "geomem"}
    for row in rows:
        base = ours.get(_place(row))
        if row.seconds is not None and base is not None:
            row.figures["over_geomem"] = row.seconds["p50"] / base["p50"]


def _place(row: Row) -> tuple[str, str, str]:
    return row.op, str(row.sizes), row.at


@dataclass
class Result:
    """A whole run: what was asked, where, against which ceilings, and every row."""

    request: dict[str, Any]
    environment: dict[str, object]
    ceilings: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    wall_seconds: float = 0.0
    finished: bool = False


def check_folder(folder: Path) -> None:
    """Make the folder and try to write in it, before the work is done. Raises DiskError."""
    make_folder(folder)
    try:
        probe_folder(folder)
    except OSError as error:
        raise DiskError(folder, error) from error


def save(result: Any, path: Path) -> None:
    """Write a dataclass with `rows` as JSON, a row per line, in place of an earlier stage of it.

    Raises DiskError.
    """
    make_folder(path.parent)
    whole = _plain({"format": FORMAT, **asdict(result)})
    rows = ",\n".join(json.dumps(row, allow_nan=False) for row in whole.pop("rows"))
    head = json.dumps(whole, indent=1, allow_nan=False).removesuffix("\n}")
    atomic_write(path, f'{head},\n "rows": [\n{rows}\n]}}\n'.encode())


def _plain(value: Any) -> Any:
    """Round floats to what was measured; JSON knows neither infinity nor NaN: they become null."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
