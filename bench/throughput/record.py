"""What a run of the throughput benchmark found, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from geomem.bench.clock import percentile
from geomem.bench.throughput.runner import Runner

RATIOS = {"loop": "over_loop", "compiled": "over_compiled", "ready": "over_ready"}


@dataclass
class Row:
    """One contestant at one point; what is unknown is missing.

    side: "geomem", "loop", "compiled" (loop), "ready" (batches made ahead), or what the point
    calls it; status: "ok" or why there is nothing; figures: single numbers; spread: name -> p20,
    p50 and p80 over the rounds; series: name -> numbers in order.
    """

    point: str
    contestant: str
    side: str
    status: str = "ok"
    figures: dict[str, float] = field(default_factory=dict)
    spread: dict[str, dict[str, float]] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class Result:
    """A whole run: what was asked, where, and every row."""

    request: dict[str, Any]
    environment: dict[str, object]
    rows: list[Row] = field(default_factory=list)
    wall_seconds: float = 0.0
    finished: bool = False


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return p20, p50 and p80."""
    return {f"p{p}": percentile(values, p / 100) for p in (20, 50, 80)}


def step_rows(point: str, runners: Sequence[Runner], examples: int) -> list[Row]:
    """Return rates, and ratios round by round to the best loop of each kind.

    cpu_over_loop: the same of member-steps per second of all CPUs that worked for them, which
    other work on the machine hardly changes.
    """
    best = {}
    for side, name in RATIOS.items():
        own = [r for r in runners if r.side == side and r.rates]
        if own:
            best[name] = max(own, key=lambda r: percentile(r.rates, 0.5))
    cpu = {r.name: percentile(r.cpu_seconds, 0.5) for r in runners}
    least = min((cpu[r.name] for r in runners if r.side == "loop"), default=0.0)
    rows = []
    for runner in runners:
        row = Row(point, runner.name, runner.side)
        rate = spread(runner.rates)
        row.spread["member_steps_per_second"] = rate
        row.figures["examples_per_second"] = rate["p50"] * examples
        row.figures["cpu_seconds"] = cpu[runner.name]
        if "over_loop" in best:
            row.figures["cpu_over_loop"] = least / cpu[runner.name]
        row.figures["peak_bytes"] = runner.peak_bytes
        for name, other in best.items():
            pairs = zip(runner.rates, other.rates, strict=True)
            row.spread[name] = spread([own / its for own, its in pairs])
        row.series["member_steps_per_second"] = list(runner.rates)
        rows.append(row)
    return rows
