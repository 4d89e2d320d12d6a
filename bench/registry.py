"""The ops that `geomem-bench kernels` knows."""

from collections.abc import Callable

from geomem.bench.adamw.op import AdamWStepOp
from geomem.bench.attention.op import ShortAttentionOp
from geomem.bench.loss.op import LinearCrossEntropyOp
from geomem.bench.mamba_step.op import MambaStepOp
from geomem.bench.passes.ops import add_norm_op, bias_gelu_op, dropout_op
from geomem.bench.scan.op import SelectiveScanOp
from geomem.bench.variants import Op

OPS: dict[str, Callable[[], Op]] = {
    "linear_cross_entropy": LinearCrossEntropyOp,
    "selective_scan": SelectiveScanOp,
    "short_attention": ShortAttentionOp,
    "adamw_step": AdamWStepOp,
    "add_norm": add_norm_op,
    "bias_gelu": bias_gelu_op,
    "dropout": dropout_op,
    "mamba_step": MambaStepOp,
}
