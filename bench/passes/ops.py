"""The residual addition and norm, bias and GELU, and dropout, in the shapes of a step.

K members · R rows · D width
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from geomem.bench.passes.op import PassOp, Sizes
from geomem.kernels import add_norm, bias_gelu, dropout

ROWS = ((4096, 17), (512, 802), (1, 2914))  # of tiny, G(256, 5) and G(5000, 5)


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)


def _stream(sizes: Sizes, short: torch.dtype, g: torch.Generator) -> dict[str, Tensor]:
    """Draw a stream in float32, and what a layer adds to it in a short type."""
    K, _, D = sizes
    found = {"x": _normal(g, *sizes), "y": _normal(g, *sizes).to(short)}
    names = ("weight", "bias", "y_bias")
    return found | {name: _normal(g, K, D) + (name == "weight") for name in names}


def _add_norm(t: Mapping[str, Tensor], impl: str) -> tuple[Tensor, ...]:
    double = t["x"].dtype == torch.float64
    dtype = torch.float64 if double else t["y"].dtype
    return add_norm(
        t["x"], t["y"], t["weight"], t["bias"], y_bias=t["y_bias"], dtype=dtype, impl=impl
    )


def _product(sizes: Sizes, short: torch.dtype, g: torch.Generator) -> dict[str, Tensor]:
    K, _, D = sizes
    return {"x": _normal(g, *sizes).to(short), "bias": _normal(g, K, D)}


def _bias_gelu(t: Mapping[str, Tensor], impl: str) -> tuple[Tensor, ...]:
    return (bias_gelu(t["x"], t["bias"], impl=impl),)


def _written(sizes: Sizes, short: torch.dtype, g: torch.Generator) -> dict[str, Tensor]:
    return {"x": _normal(g, *sizes).to(short)}


_DRAWS: dict[tuple[int, torch.device], tuple[Tensor, Tensor, Tensor]] = {}


def _draws(K: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return keys, rates and a site; members share a key, so that one alone draws the same.

    Made once, by the reference: a program that is compiled later reads them, as a step's does.
    """
    if (K, device) not in _DRAWS:
        keys = torch.zeros(K, dtype=torch.int64, device=device)
        _DRAWS[K, device] = keys, torch.full((K,), 0.1, device=device), keys.new_zeros(())
    return _DRAWS[K, device]


def _dropout(t: Mapping[str, Tensor], impl: str) -> tuple[Tensor, ...]:
    x = t["x"]
    return (dropout(x, *_draws(x.shape[0], x.device), impl=impl),)


def add_norm_op() -> PassOp:
    """x, y | total, normal; total, their gradients | those of x and y."""
    return PassOp(
        "add_norm",
        {"cuda": [(*rows, width) for rows, width in zip(ROWS, (32, 64, 384), strict=True)]},
        _add_norm,
        ("total", "normal"),
        _stream,
        lambda short: {"forward": 8 + 2 * short, "backward": 12 + 2 * short},
    )


def bias_gelu_op() -> PassOp:
    """x | y; x, dy | dx."""
    return PassOp(
        "bias_gelu",
        {"cuda": [(*rows, width) for rows, width in zip(ROWS, (128, 256, 1536), strict=True)]},
        _bias_gelu,
        ("y",),
        _product,
        lambda short: {"forward": 2 * short, "backward": 3 * short},
    )


def dropout_op() -> PassOp:
    """x | y; dy | dx."""
    return PassOp(
        "dropout",
        {"cuda": [(*rows, width) for rows, width in zip(ROWS, (32, 64, 384), strict=True)]},
        _dropout,
        ("y",),
        _written,
        lambda short: {"forward": short + 4, "backward": 4 + short},
    )
