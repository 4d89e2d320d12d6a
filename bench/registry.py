"""The ops that `geomem-bench kernels` knows."""

from collections.abc import Callable

from geomem.bench.loss.op import LinearCrossEntropyOp
from geomem.bench.mamba_step.op import MambaStepOp
from geomem.bench.scan.op import SelectiveScanOp
from geomem.bench.variants import Op

OPS: dict[str, Callable[[], Op]] = {
    "linear_cross_entropy": LinearCrossEntropyOp,
    "selective_scan": SelectiveScanOp,
    "mamba_step": MambaStepOp,
}
