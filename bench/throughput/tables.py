"""Rows as plain text tables, one per point."""

from collections.abc import Callable, Sequence
from itertools import groupby

from geomem.bench.table import aligned
from geomem.bench.throughput.catalog import POINTS
from geomem.bench.throughput.points import StepPoint
from geomem.bench.throughput.record import RATIOS, Row

HEADS = {"over_loop": "x loop", "over_compiled": "x compiled", "over_ready": "x ready"}
FIGURES = {  # name -> (heading, factor)
    "seconds": ("s", 1.0),
    "training_seconds": ("s in training", 1.0),
    "cpu_seconds": ("s of CPU", 1.0),
    "steps": ("steps", 1.0),
    "accuracy": ("exact match", 1.0),
    "lowest": ("lowest", 1.0),
    "runs": ("runs", 1.0),
    "runs_per_hour": ("runs/h", 1.0),
    "member_steps_per_second": ("member-steps/s", 1.0),
    "packs": ("packs", 1.0),
    "threads": ("threads", 1.0),
    "geomem_over_it": ("geomem is x", 1.0),
    "peak_bytes": ("peak MB", 1e-6),
    "total_bytes": ("of MB", 1e-6),
    "loss_error": ("loss error", 1.0),
}


def tables(rows: Sequence[Row]) -> str:
    """Return all tables, each under its point."""
    parts = []
    for (point, shown), group in groupby(rows, key=lambda row: (row.point, _shown(row))):
        parts.append(f"{point}: {POINTS[point].about}\n{aligned(shown(list(group)))}")
    return "\n\n".join(parts)


def _shown(row: Row) -> Callable[[list[Row]], list[list[str]]]:
    if row.side in ("profile", "step"):
        return _profile
    of_steps = isinstance(POINTS[row.point], StepPoint) and row.side != "point"
    return _steps if of_steps else _figures


def _steps(rows: list[Row]) -> list[list[str]]:
    ratios = [name for name in RATIOS.values() if any(name in row.spread for row in rows)]
    heads = ["contestant", "side", "member-steps/s", "p20", "p80", "CPU ms", "examples/s"]
    for name in ratios:
        heads += [HEADS[name], "p20", "p80"]
    lines = [[*heads, "x loop per CPU", "peak MB", "loss error", "status"]]
    for row in rows:
        cells = [row.contestant, row.side, *_spread(row, "member_steps_per_second")]
        cells += [_figure(row, "cpu_seconds", 1e3), _figure(row, "examples_per_second")]
        for name in ratios:
            cells += _spread(row, name)
        cells += [_figure(row, "cpu_over_loop"), _figure(row, "peak_bytes", 1e-6)]
        lines.append([*cells, _figure(row, "loss_error"), row.status])
    return lines


def _figures(rows: list[Row]) -> list[list[str]]:
    shown = {n: FIGURES[n] for n in FIGURES if any(n in row.figures for row in rows)}
    lines = [["what", "side", *(heading for heading, _ in shown.values()), "status"]]
    for row in rows:
        cells = [_figure(row, name, factor) for name, (_, factor) in shown.items()]
        lines.append([row.contestant, row.side, *cells, row.status])
    return lines


def _profile(rows: list[Row]) -> list[list[str]]:
    lines = [["op", "", "ms a step", "share", "calls a step", ""]]
    for row in rows:
        share = f"{100 * row.figures['share']:.1f}%" if "share" in row.figures else ""
        note = ""
        if "seconds_profiled" in row.figures:
            cpu, profiled = (row.figures[n] * 1e3 for n in ("cpu_seconds", "seconds_profiled"))
            note = f"{cpu:.4g} ms of CPU, {profiled:.4g} ms under the profiler"
        cells = [row.contestant, "", _figure(row, "seconds", 1e3), share, _figure(row, "calls")]
        lines.append([*cells, note])
    return lines


def _figure(row: Row, name: str, factor: float = 1.0) -> str:
    return f"{row.figures[name] * factor:.4g}" if name in row.figures else "-"


def _spread(row: Row, name: str) -> list[str]:
    found = row.spread.get(name)
    return [f"{found[p]:.4g}" for p in ("p50", "p20", "p80")] if found else ["-"] * 3
