"""The Triton implementation: launches the kernels and adds up their partial results.

K members · B sequences · T positions · C channels · S states; states are [..., S, C] here
"""

from math import ceil
from typing import Any

import torch
from torch import Tensor

from geomem.kernels.selective_scan import configs
from geomem.kernels.selective_scan.backward import backward_kernel
from geomem.kernels.selective_scan.chunks import combine_kernel, summary_kernel
from geomem.kernels.selective_scan.forward import forward_kernel
from geomem.kernels.selective_scan.layout import (
    Problem,
    alignment,
    inner,
    start_strides,
    states,
    strides,
)
from geomem.kernels.selective_scan.problem import Inputs, Options, Results, new_results
from geomem.kernels.slices import slices_of


def forward(x: Inputs, options: Options) -> Results:
    """Run the scan on the device of u, without waiting for it."""
    p = Problem(x, options)
    results = new_results(x, options.last_state, p.rows if p.chunks > 1 else 0)
    last = results.last_state.mT if options.last_state else None
    with torch.cuda.device_of(x.u):
        if p.chunks == 1:
            _launch_forward(p, p.start, results.y, last)
        else:
            _cross_chunks(p, p.u, p.b, p.start, results.saved, last, reverse=False)
            _launch_forward(p, results.saved, results.y, None)
    return results


def backward(
    x: Inputs, options: Options, saved: Tensor, dy: Tensor, dlast: Tensor | None
) -> list[Tensor]:
    """Return gradients in the order of Inputs, [0] for what is None."""
    p, dy = Problem(x, options), inner(dy)
    into = None if dlast is None or not options.last_state else states(dlast)
    start, dstart = p.start, None
    with torch.cuda.device_of(x.u):
        if p.chunks > 1:
            if p.start is not None:
                dstart = p.a.new_empty(p.K, p.B, p.S, p.C)
            start, after, into = saved, into, torch.empty_like(saved)
            _cross_chunks(p, dy, p.c, after, into, dstart, reverse=True)
        g = _launch_backward(p, start, dy, into)
    dstart = g["dstart"] if dstart is None else dstart
    if dstart is not None:
        dstart = (dstart.sum(1, keepdim=True) if p.shared else dstart).mT
    db, dc = (g[name].sum(0).to(x.b.dtype) for name in ("db", "dc"))
    dd, dbias = (None if g[name] is None else g[name].sum(1) for name in ("dd", "dbias"))
    grads = (g["du"], g["ddelta"], g["da"].sum(1).mT, db, dc, dd, g["dz"], dbias, dstart)
    return [dy.new_empty(0) if t is None else t for t in grads]


def _launch_forward(p: Problem, start: Tensor | None, y: Tensor, last: Tensor | None) -> None:
    block = configs.forward_block(p.S, p.C)
    blocks = ceil(p.C / block["BC"])
    grid = slices_of(p.rows, p.K * blocks, configs.FORWARD_PROGRAMS)
    start_k, start_n = start_strides(start)
    forward_kernel[(p.K * grid.number * blocks,)](
        **p.inputs(), **p.sizes(), **block, **configs.forward_tile(p.chunk),
        start=start, y=y, last=last, slices=grid.number, per_program=grid.rows,
        start_k=start_k, start_n=start_n, softplus=p.softplus, align=alignment(p.b, p.c),
    )  # fmt: skip


def _cross_chunks(
    p: Problem, amount: Tensor, vector: Tensor, start: Tensor | None, value: Tensor,
    end: Tensor | None, *, reverse: bool,
) -> None:  # fmt: skip
    """Fill `value` with what comes into each chunk: a state, or in reverse a gradient."""
    total, gate = value.new_empty(p.K, p.rows, p.C), p.z if reverse else None
    block = configs.summary_block(p.S, p.C)
    programs = p.K * p.rows * ceil(p.S / block["BS"]) * ceil(p.C / block["BC"])
    summary_kernel[(programs,)](
        amount=amount, delta=p.delta, z=gate, vector=vector, a=p.a, bias=p.bias,
        lengths=p.lengths, value=value, total=total, **p.sizes(), **block, S=p.S, BL=configs.TILE,
        **strides(amount=amount, delta=p.delta, z=gate, vector=vector),
        softplus=p.softplus, reverse=reverse,
    )  # fmt: skip
    start_k, start_b = start_strides(start)
    combine_kernel[(p.K * p.B * ceil(p.S * p.C / configs.COMBINE),)](
        value=value, total=total, a=p.a, start=start, end=end, B=p.B, C=p.C, chunks=p.chunks,
        start_k=start_k, start_b=start_b, S=p.S, BE=configs.COMBINE, reverse=reverse,
    )  # fmt: skip


def _launch_backward(
    p: Problem, start: Tensor | None, dy: Tensor, into: Tensor | None
) -> dict[str, Any]:
    """Run the kernel; db and dc have a first axis, sums over sequences a second one, to add up."""
    lanes = configs.BACKWARD[p.states_block]
    width = lanes.across * lanes.each
    repeats = configs.blocks_per_program(ceil(p.C / width), p.K * p.rows)
    groups = ceil(p.C / (width * repeats))
    grid = slices_of(p.rows, p.K * groups, configs.BACKWARD_PROGRAMS)
    programs, tiles = p.K * grid.number * groups, ceil(p.chunk / configs.TILE)
    new, tile_size = p.a.new_empty, p.states_block * width
    shared = p.shared and p.chunks == 1
    grads = {
        **{name: p.u.new_empty(p.u.shape) for name in ("du", "ddelta")},
        "dz": None if p.z is None else p.u.new_empty(p.u.shape),
        **{name: new(groups, p.K, p.B, p.T, p.S) for name in ("db", "dc")},
        "da": new(p.K, grid.number, p.S, p.C),
        "dd": None if p.d is None else new(p.K, grid.number, p.C),
        "dbias": None if p.bias is None else new(p.K, grid.number, p.C),
        "dstart": None,
    }
    if p.start is not None and p.chunks == 1:
        grads["dstart"] = new(p.K, grid.number if shared else p.B, p.S, p.C)
    start_k, start_n = start_strides(start)
    backward_kernel[(programs,)](
        **p.inputs(), **p.sizes(), **strides(dy=dy), **grads, **configs.backward_tile(p.chunk),
        start=start, dy=dy, dlast=into, tile_size=tile_size,
        scratch=new(programs, tiles, tile_size) if tiles > 1 else None,
        slices=grid.number, per_program=grid.rows, repeats=repeats,
        start_k=start_k, start_n=start_n, softplus=p.softplus, shared=shared,
        CL=lanes.across, R=lanes.each, num_warps=1,
    )  # fmt: skip
    return grads
