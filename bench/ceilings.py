"""What the device can do at best, measured in the same run as everything else."""

import torch

from geomem.bench.capture import Stage
from geomem.bench.clock import QUICK, Measurement, Pace, interleave
from geomem.bench.variants import Call

SIDE = {"cuda": 8192, "cpu": 1536}
COPY_BYTES = {"cuda": 1 << 30, "cpu": 1 << 28}


def dtype_of(device: str) -> torch.dtype:
    """The dtype in which a kind of device is measured."""
    return torch.bfloat16 if device == "cuda" else torch.float32


def _seconds(call: Call, device: str, pace: Pace) -> float:
    measurement = Measurement(Stage(device).timer([call], capturable=True))
    interleave([measurement], pace, in_time=lambda: False)
    return measurement.percentiles()["p50"]


def measure(device: str, smoke: bool) -> dict[str, float]:
    """Return matmul FLOP/s (square, in the measured dtype) and copy B/s (read plus written)."""
    side, size = (256, 1 << 20) if smoke else (SIDE[device], COPY_BYTES[device])
    a, b = (torch.randn(side, side, device=device, dtype=dtype_of(device)) for _ in range(2))
    product = torch.empty_like(a)
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    pace = QUICK if smoke else Pace()
    product_seconds = _seconds(lambda: torch.mm(a, b, out=product), device, pace)
    copy_seconds = _seconds(lambda: target.copy_(source), device, pace)
    return {"matmul_flops": 2 * side**3 / product_seconds, "copy_bytes": 2 * size / copy_seconds}
