"""The Triton implementation: chooses the regime and brings the inputs into the kernels' layout.

Kernels are compiled for rows of x and the embedding that begin on addresses that 16 elements
divide: only then do loads of 16 bytes and their pipelines exist. An arena whose members and
parameters begin on multiples of 16 elements is read in place; anything else is copied first.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.kernels.linear_cross_entropy import large, small, tiny
from geomem.kernels.linear_cross_entropy.configs import regime
from geomem.kernels.linear_cross_entropy.problem import Outputs, Problem, empty_outputs

LINE = 16  # elements
_REGIMES = {"tiny": tiny.run, "small": small.run, "large": large.run}


def run(p: Problem) -> Outputs:
    """Solve a problem on the device of x, without waiting for it."""
    (_, N, D), V = p.x.shape, p.embedding.shape[1]
    with torch.cuda.device_of(p.x):
        p = _laid_out(p)
        out = empty_outputs(p)
        _REGIMES[regime(N, V)](p, out)
    if p.x.shape[2] != D:
        dx, de = (t[..., :D].contiguous() if t.dim() == 3 else t for t in (out.dx, out.de))
        out = out._replace(dx=dx, de=de)
    return out


def _laid_out(p: Problem) -> Problem:
    row, token, weight = (t if t is None else _inner(t) for t in (p.row, p.token, p.weight))
    assert token is not None
    vocab_sizes = None if p.vocab_sizes is None else p.vocab_sizes.contiguous()
    x, embedding = _aligned(p.x), _aligned(p.embedding.to(p.x.dtype))
    return p._replace(
        x=x, embedding=embedding, row=row, token=token, weight=weight, vocab_sizes=vocab_sizes
    )


def _inner(t: Tensor) -> Tensor:
    return t if t.stride(-1) == 1 else t.contiguous()


def _aligned(t: Tensor) -> Tensor:
    """Rows on 16-element lines: the tensor itself if it has them, else a copy, wider if need be."""
    if t.shape[0] == 1:
        t = t[0][None]  # whatever its stride was, it is not used
    if t.shape[2] % LINE != 0:
        return F.pad(t, (0, -t.shape[2] % LINE))
    strides = t.stride(0) % LINE == 0 and t.stride(1) % LINE == 0 and t.stride(2) == 1
    if strides and t.data_ptr() % 16 == 0:
        return t
    return t.clone(memory_format=torch.contiguous_format)
