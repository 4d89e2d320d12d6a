"""Points that `geomem-bench kernels` measures already."""

from geomem.bench import kernels
from geomem.bench.record import Row as KernelRow
from geomem.bench.throughput.means import Means
from geomem.bench.throughput.points import KernelPoint
from geomem.bench.throughput.record import Row


def kernel_point(name: str, point: KernelPoint, means: Means) -> list[Row]:
    """Return the rows of the op, checked and timed there; ratios are of medians."""
    means.say(f"{name}: {point.about} (geomem-bench kernels --op {point.op})")
    request = kernels.Request((point.op,), means.device, means.smoke, means.seconds)
    found = kernels.run(request, means.say).rows
    if not found:
        return [Row(name, "all", "point", f"skipped: {point.op} is not measured on {means.device}")]
    return [_row(name, row, next(r for r in found if r.variant == "geomem")) for row in found]


def _row(name: str, row: KernelRow, ours: KernelRow) -> Row:
    side = "geomem" if row.variant == "geomem" else "peer"
    found = Row(name, row.variant, side, row.status)
    if row.errors:
        found.figures["loss_error"] = max(row.errors.values())
    if row.seconds and ours.seconds:
        rates = {p: 1 / row.seconds[q] for p, q in (("p20", "p80"), ("p50", "p50"), ("p80", "p20"))}
        found.spread["member_steps_per_second"] = rates
        found.figures["geomem_over_it"] = row.seconds["p50"] / ours.seconds["p50"]
    return found
