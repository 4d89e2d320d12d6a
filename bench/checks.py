"""Correctness before figures: every variant against fp64, in every regime."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from geomem.bench.variants import (
    Check,
    Op,
    Point,
    Variant,
    describe,
    free,
    relative_error,
    total_bytes,
)

NO_TIME = "no time left"


def check(
    op: Op,
    point: Point,
    variants: Sequence[Variant],
    device: str,
    in_time: Callable[[], bool],
) -> dict[str, Check]:
    """Compare variants with fp64 at a point; what no time is left for says so."""
    checks = {v.name: Check(v.missing or "ok") for v in variants}
    for regime in op.regimes:
        running = [v for v in variants if checks[v.name].status == "ok"]
        if running:
            _check_regime(op, point, running, device, regime, checks, in_time)
    for found in checks.values():
        if found.status == "ok":
            found.status = _verdict(found, op.limit(device))
    return checks


def _check_regime(
    op: Op,
    point: Point,
    variants: Sequence[Variant],
    device: str,
    regime: str,
    checks: dict[str, Check],
    in_time: Callable[[], bool],
) -> None:
    try:
        inputs = op.inputs(point, device, regime, 0)
        truth = op.truth(point, inputs)
    except Exception as error:
        reason = f"no truth: {describe(error)}"
        for variant in variants:
            checks[variant.name].status = reason
        free(device)
        return
    for variant in variants:
        found = checks[variant.name]
        if not in_time():
            found.status = NO_TIME
            continue
        try:
            results = op.named(variant, _measured(op, variant, inputs, device, found))
            found.errors |= {
                f"{regime}.{name}": relative_error(results[name], tensor)
                for name, tensor in truth.items()
            }
        except Exception as error:
            found.status = describe(error)
        results = {}
        if found.status != "ok":
            free(device)
    del inputs, truth
    free(device)


def _measured(op: Op, variant: Variant, inputs: Any, device: str, found: Check) -> Any:
    """Run a variant and note the peak of its memory; the least of several runs counts.

    The first run is repeated: it loads libraries and compiles.
    """
    if device != "cuda":
        return op.results(variant, inputs)
    if found.extra_bytes is None:
        op.results(variant, inputs)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    results = op.results(variant, inputs)
    torch.cuda.synchronize()
    extra = torch.cuda.max_memory_allocated() - before - total_bytes(results)
    known = found.extra_bytes
    found.extra_bytes = max(0, extra if known is None else min(extra, known))
    return results


def _verdict(found: Check, limit: float) -> str:
    wrong = sorted({at.split(".")[0] for at, error in found.errors.items() if not error <= limit})
    return f"wrong: {', '.join(wrong)}" if wrong else "ok"
