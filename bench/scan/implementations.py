"""The scan of geomem and of others: ScanInputs in, y [K,B,T,C] out."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.bench.peers import compiled, import_peer, why_missing
from geomem.bench.scan import mamba_ssm
from geomem.bench.scan.inputs import ScanInputs, run_scan
from geomem.bench.variants import Point, Variant

LONGEST_UNROLLED = 64  # positions that a compiler can unroll, and that a graph should hold


def geomem(impl: str) -> Callable[[ScanInputs], Tensor]:
    """Our op with one of its implementations."""
    return lambda inputs: run_scan(inputs, impl)


def _gates(i: ScanInputs) -> tuple[Tensor, Tensor, Tensor]:
    """Step sizes [K,B,T,C], decays exp(dt a) and inputs dt u b [K,B,T,C,S], all held at once."""
    dt = F.softplus(i.delta.float() + i.delta_bias[:, None, None])
    decay = torch.exp(dt[..., None] * i.a[:, None, None])
    return dt, decay, (dt * i.u.float())[..., None] * i.b.float()[:, :, :, None]


def _skip_and_gate(y: Tensor, i: ScanInputs) -> Tensor:
    return ((y + i.u * i.d[:, None, None]) * F.silu(i.z)).to(i.u.dtype)


def loop_in_input_dtype(i: ScanInputs) -> Tensor:
    """The arithmetic of transformers' slow path: gates of all steps, the state in u's dtype."""
    _, decay, driven = _gates(i)
    state = i.u.new_zeros(decay[:, :, 0].shape)
    rows = []
    for t in range(i.u.shape[2]):
        state = (decay[:, :, t] * state + driven[:, :, t]).to(i.u.dtype)
        rows.append((state @ i.c[:, :, t, :, None])[..., 0])
    return _skip_and_gate(torch.stack(rows, 2), i)


def parallel_scan(pscan: Callable[[Tensor, Tensor], Tensor]) -> Callable[[ScanInputs], Tensor]:
    """Mambapy's scan of materialised gates, members and sequences as one batch."""

    def scan(i: ScanInputs) -> Tensor:
        _, decay, driven = _gates(i)
        states = pscan(decay.flatten(0, 1), driven.flatten(0, 1)).unflatten(0, i.u.shape[:2])
        return _skip_and_gate((states @ i.c.float()[..., None])[..., 0], i)

    return scan


def all_variants(point: Point, device: str, smoke: bool) -> list[Variant]:
    """Return every variant of the scan; ours first."""
    short = point.sizes["T"] <= LONGEST_UNROLLED
    note = "" if short else "a loop over positions in Python"
    return [
        Variant("geomem", geomem("auto")),
        Variant("geomem reference", geomem("reference"), capturable=short, note=note),
        _mambapy(device),
        Variant("transformers slow path", loop_in_input_dtype, capturable=short, note=note),
        _mamba_ssm(point, device),
        _compiled(point, smoke),
    ]


def _mambapy(device: str) -> Variant:
    if missing := why_missing("mambapy.pscan", device, needs_cuda=False):
        return Variant("mambapy pscan", missing=missing)
    return Variant("mambapy pscan", parallel_scan(import_peer("mambapy.pscan").pscan))


def _mamba_ssm(point: Point, device: str) -> Variant:
    name = "mamba-ssm CUDA"
    if missing := mamba_ssm.why_missing(device):
        return Variant(name, missing=missing)
    note = "one call per member" if point.sizes["K"] > 1 else ""
    return Variant(name, mamba_ssm.scan, loops=True, note=note, own_layout=True)


def _compiled(point: Point, smoke: bool) -> Variant:
    name = "reference, torch.compile"
    if smoke:
        return Variant(name, missing="left out of the smoke size")
    if (T := point.sizes["T"]) > LONGEST_UNROLLED:
        return Variant(name, missing=f"{T} unrolled steps take too long to compile")
    return Variant(name, compiled(geomem("reference")), compiles=True)
