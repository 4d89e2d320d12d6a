"""The optimiser step of geomem and of others.

Each takes AdamWInputs that it may write to and returns what does one step on them, in place.
"""

from collections.abc import Callable
from typing import Any

import torch

from geomem.bench.adamw.inputs import STEP, AdamWInputs, Group
from geomem.bench.peers import compiled
from geomem.bench.variants import Call, Point, Variant
from geomem.kernels import adamw_step

Prepare = Callable[[AdamWInputs], Call]


def geomem(impl: str) -> Prepare:
    """Our op with one of its implementations."""

    return lambda inputs: lambda: _step(inputs, impl)


def compiled_formula(inputs: AdamWInputs) -> Call:
    """The reference through torch.compile."""
    run = compiled(_step)
    return lambda: run(inputs, "reference")


def _step(i: AdamWInputs, impl: str) -> None:
    arrays = [i.parameters], [i.gradients], [i.first], [i.second]
    adamw_step(*arrays, i.hyper, i.active, impl=impl)


def _optimizer(i: AdamWInputs, groups: list[Group], **options: Any) -> torch.optim.AdamW:
    """One of PyTorch's over the rows of some members, STEP - 1 steps after its start."""
    settings: list[dict[str, Any]] = []
    rows: dict[int, torch.Tensor] = {}
    for group in groups:
        own = {k: i.parameters[k].detach().requires_grad_() for k in range(group.first, group.end)}
        rows |= own
        shared = {"lr": group.lr, "weight_decay": group.weight_decay, "betas": group.betas}
        settings.append({**shared, "eps": group.eps, "params": list(own.values())})
    on_gpu = i.parameters.is_cuda
    optimizer = torch.optim.AdamW(settings, capturable=on_gpu, **options)
    for k, row in rows.items():
        row.grad = i.gradients[k]
        step = torch.tensor(float(STEP - 1), device=row.device)
        state = {"step": step, "exp_avg": i.first[k], "exp_avg_sq": i.second[k]}
        optimizer.state[row] = state
    return optimizer


def together(**options: Any) -> Prepare:
    """One optimiser over all rows, with a group for each of the settings."""

    def prepare(i: AdamWInputs) -> Call:
        return _optimizer(i, list(i.groups), **options).step

    return prepare


def one_by_one(i: AdamWInputs) -> Call:
    """An optimiser for each member, as runs that know nothing of each other have it."""
    members = [g._replace(first=k, end=k + 1) for g in i.groups for k in range(g.first, g.end)]
    optimizers = [_optimizer(i, [member], foreach=False) for member in members]

    def step() -> None:
        for optimizer in optimizers:
            optimizer.step()

    return step


def all_variants(point: Point, device: str, smoke: bool) -> list[Variant]:
    """Return every variant of the step; ours first."""
    rows = "a tensor per member" if point.sizes["K"] > 1 else ""
    return [
        Variant("geomem", geomem("auto")),
        Variant("geomem reference", geomem("reference"), note="the formula in tensor operations"),
        Variant("torch AdamW fused", together(fused=True), note=rows),
        Variant("torch AdamW foreach", together(foreach=True), note=rows),
        Variant("torch AdamW", one_by_one, loops=True, note="an optimiser per member"),
        _compiled(smoke),
    ]


def _compiled(smoke: bool) -> Variant:
    name = "reference, torch.compile"
    if smoke:
        return Variant(name, missing="left out of the smoke size")
    return Variant(name, compiled_formula, compiles=True)
