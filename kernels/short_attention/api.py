"""Public entry of causal attention over many sequences: validation and dispatch.

K members · B sequences · T positions · P positions of the prefix · H heads · Dh width of a head
"""

from functools import partial

import torch
from torch import Tensor

from geomem.kernels._refusal import refuse
from geomem.kernels.choice import INTERPRETED, choose, runs_triton
from geomem.kernels.short_attention import configs, eager, library, op, reference
from geomem.kernels.short_attention.problem import Inputs

_RUN = {
    "reference": reference.run,
    "eager": eager.run,
    "triton": op.call,
    "flash": library.flash,
    "sdpa": library.sdpa,
}


_refuse = partial(refuse, "short_attention")


def _check(x: Inputs) -> None:
    if x.q.dim() != 5 or 0 in x.q.shape:
        _refuse("q", "[K,B,T,H,Dh] and not empty", tuple(x.q.shape))
    if not x.q.is_floating_point():
        _refuse("q", "of a float dtype", x.q.dtype)
    if (x.prefix_k is None) != (x.prefix_v is None):
        raise ValueError("short_attention: give prefix_k and prefix_v, or neither")
    K, _, _, H, Dh = x.q.shape
    prefix = (K, x.prefix, H, Dh)
    for name, t in x._asdict().items():
        if t is None:
            continue
        shape = prefix if name.startswith("prefix") else tuple(x.q.shape)
        if tuple(t.shape) != shape or 0 in shape:
            _refuse(name, f"{shape} and not empty", tuple(t.shape))
        if t.dtype != x.q.dtype or t.device != x.q.device:
            _refuse(name, f"{x.q.dtype} on {x.q.device}", f"{t.dtype} on {t.device}")


def implementation(
    impl: str, device_type: str, dtype: torch.dtype, *, context: int, width: int
) -> str:
    """Name of the implementation that `impl` stands for.

    context: positions of prefix and sequence together; width: that of a head. Raises ValueError
    with the alternatives for one that cannot run here.
    """
    known = {name: name for name in ("reference", "eager", "sdpa")}
    auto = "eager" if context <= configs.LONGEST and device_type == "cpu" else "sdpa"
    if runs_triton(device_type) and configs.fits(dtype, context, width):
        known["triton"] = "triton"
        auto = auto if INTERPRETED else "triton"
    if library.takes_flash(device_type, dtype, width):
        known["flash"] = "flash"
        auto = "flash" if auto == "sdpa" else auto
    return choose("short_attention", known, impl, auto=auto)[0]


def short_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    prefix_k: Tensor | None = None,
    prefix_v: Tensor | None = None,
    *,
    impl: str = "auto",
) -> Tensor:
    """Causal softmax attention of sequences that may share a prefix.

    Equals, for each member, sequence and head,
    `F.scaled_dot_product_attention(q, cat(prefix_k, k), cat(prefix_v, v))` under a mask that
    shows a query the whole prefix and the positions up to its own.

    q, k, v: [K, B, T, H, Dh]; prefix_k, prefix_v: [K, P, H, Dh], seen by every sequence; one float
    dtype. Views of one packed projection are read in place. Returns [K, B, T, H, Dh].
    impl: "reference"; "eager", the same made fast for a CPU; "triton" (CUDA tensors of bfloat16 or
    float32, or any under Triton's interpreter; contexts P + T up to 64 and heads up to 128 wide,
    of float32 up to 32 wide for contexts over 32);
    "sdpa", PyTorch's own; "flash", flash-attn (CUDA, half precision, Dh a multiple of 8); or
    "auto": contexts up to 64 by Triton on a GPU where it can run, and eager on a CPU; all others
    by flash-attn where it can run, else by PyTorch. Triton and flash-attn repeat to the bit; on a
    GPU PyTorch's does under `torch.use_deterministic_algorithms`.
    Raises ValueError for shapes, dtypes and devices that do not fit and for an impl that cannot
    run here.
    Source: Vaswani et al., "Attention is all you need" (2017).
    """
    x = Inputs(q, k, v, prefix_k, prefix_v)
    _check(x)
    sizes = {"context": x.prefix + q.shape[2], "width": q.shape[4]}
    name = implementation(impl, q.device.type, q.dtype, **sizes)
    if sizes["context"] == 1:
        return v  # a softmax over one score is 1
    return _RUN[name](x)
