"""Inputs of the selective scan by regime, what holds for every implementation, and how to hold it.

K members · B sequences · T positions · C channels · S states per channel
"""

import torch

from geomem.kernels import selective_scan
from tests.closeness import assert_as_good, assert_close

PER_STEP = ("u", "delta", "b", "c", "z")


def inputs(K, B, T, C, S, dtype=torch.float64, start=None, seed=0, device="cpu", without=()):
    """Arguments as a Mamba block makes them; start is None, "shared" or "own".

    u and z are halves of one tensor, b and c slices of another, and steps take 1e-3 ... 0.1, as at
    the start of training, to about 1.
    """
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=g, dtype=torch.float64)

    xz, low = normal(K, B, T, 2 * C), normal(K, B, T, 3 + 2 * S)
    found = {
        "u": xz[..., :C],
        "delta": normal(K, B, T, C) * 2 - 3,
        "a": -torch.arange(1, S + 1).double() * (0.5 + torch.rand(K, C, S, generator=g)),
        "b": low[..., 3 : 3 + S],
        "c": low[..., 3 + S :],
        "d": normal(K, C),
        "z": xz[..., C:],
        "delta_bias": normal(K, C),
    }
    if start is not None:
        found["initial_state"] = normal(K, 1 if start == "shared" else B, C, S)
    kept = {name: t for name, t in found.items() if name not in without}
    return {name: _cast(name, t, dtype).to(device) for name, t in kept.items()}


def _cast(name, t, dtype):
    parameter = torch.float64 if dtype == torch.float64 else torch.float32
    return t.to(dtype if name in PER_STEP else parameter)


def double(x):
    """The same numbers in float64, on the CPU."""
    return {name: t.detach().cpu().double() for name, t in x.items()}


def some_lengths(K, B, T, device="cpu"):
    """Of every kind: none, one, some and all of the steps, and more than there are."""
    kinds = [0, T, max(1, T // 2), 1, T + 3]
    flat = [kinds[i % len(kinds)] for i in range(K * B)]
    return torch.tensor(flat, device=device).view(K, B)


def everything(x, impl, lengths=None, **options):
    """Results and gradients of a loss that depends on all of them, by name."""
    x = {name: t.detach().requires_grad_() for name, t in x.items()}
    result = selective_scan(**x, lengths=lengths, impl=impl, **options)
    g = torch.Generator().manual_seed(7)
    loss = 0
    for t in result:
        weight = torch.randn(t.shape, generator=g, dtype=torch.float64)
        loss = loss + (t * weight.to(t.device, t.dtype)).sum()
    grads = torch.autograd.grad(loss, list(x.values()), allow_unused=True)
    found = {"y": result.y, "last_state": result.last_state}
    found |= {f"d{name}": g for name, g in zip(x, grads, strict=True)}
    return {name: t.detach() for name, t in found.items() if t is not None}


def hold(x, impl, lengths=None, **options):
    """Everything of an implementation against float64, as good as plain operations in its dtype."""
    on_cpu = None if lengths is None else lengths.cpu()
    expected = everything(double(x), "reference", on_cpu, **options)
    plain = everything(x, "reference", lengths, **options)
    found = everything(x, impl, lengths, **options)
    assert found.keys() == expected.keys()
    for name, t in found.items():
        assert t.dtype == plain[name].dtype, name
        if expected[name].norm() == 0:
            assert t.numel() == 0 or t.abs().max() == 0, name
            continue
        assert_as_good(t.cpu(), expected[name], plain[name].cpu(), x["u"].dtype)


def padding_changes_nothing(impl, device="cpu", T=9, dtype=torch.float32):
    """Whatever stands past the lengths, NaN included, no bit of a result depends on it."""
    K, B = 1, 5
    x = inputs(K, B, T, 5, 6, dtype, "own", device=device)
    lengths = some_lengths(K, B, T, device)
    past = torch.arange(T, device=device)[:, None] >= lengths[..., None, None]
    found = []
    for filler in (0.0, 3.0, torch.nan):
        padded = {n: t.masked_fill(past, filler) if n in PER_STEP else t for n, t in x.items()}
        found.append(everything(padded, impl, lengths))
    for name, t in found[0].items():
        assert torch.equal(t, found[1][name]), name
        assert torch.equal(t, found[2][name]), name
    for name in ("y", *(f"d{n}" for n in PER_STEP)):
        assert found[0][name].masked_select(past).abs().max() == 0, name
    empty = lengths == 0
    start, last = x["initial_state"][empty], found[0]["last_state"][empty]
    assert torch.equal(start, last)


def parts_equal_the_whole(impl, device="cpu", T=9, cut=4, budget=1e-6):
    """Two scans, the second from the state that the first left: also their gradients."""
    x = inputs(1, 3, T, 5, 6, torch.float32, "own", device=device)
    whole = everything(x, impl)
    leaves = {name: t.detach().requires_grad_() for name, t in x.items()}

    def scan(steps, state):
        part = {n: t[:, :, steps] if n in PER_STEP else t for n, t in leaves.items()}
        return selective_scan(**{**part, "initial_state": state}, impl=impl)

    first = scan(slice(cut), leaves["initial_state"])
    second = scan(slice(cut, None), first.last_state)
    y = torch.cat([first.y, second.y], 2)
    g, loss = torch.Generator().manual_seed(7), 0
    for t in (y, second.last_state):
        weight = torch.randn(t.shape, generator=g, dtype=torch.float64)
        loss = loss + (t * weight.to(t.device, t.dtype)).sum()
    grads = torch.autograd.grad(loss, list(leaves.values()))
    assert_close(y.cpu(), whole["y"].cpu().double(), budget)
    for name, t in zip(leaves, grads, strict=True):
        assert_close(t.cpu(), whole[f"d{name}"].cpu().double(), budget)


def shared_start_sums_its_gradients(impl, device="cpu", T=5, budget=1e-6):
    """One start for all sequences gives what a copy for each gives."""
    x = inputs(2, 3, T, 5, 6, torch.float32, "shared", device=device)
    copies = {**x, "initial_state": x["initial_state"].expand(2, 3, 5, 6)}
    shared, own = everything(x, impl), everything(copies, impl)
    own["dinitial_state"] = own["dinitial_state"].double().sum(1, keepdim=True)
    for name, t in shared.items():
        assert_close(t.cpu(), own[name].cpu().double(), budget)


def no_step_sees_what_comes_after_it(impl, device="cpu", T=7, at=3):
    """By the gradient of one step's y, for every input that belongs to a step."""
    x = inputs(1, 2, T, 4, 5, torch.float32, device=device)
    leaves = {n: t.requires_grad_() for n, t in x.items()}
    y = selective_scan(**leaves, impl=impl).y
    for name in PER_STEP:
        (grad,) = torch.autograd.grad(y[:, :, at].sum(), leaves[name], retain_graph=True)
        seen = grad.abs().sum((0, 1, 3))
        assert seen[at] > 0, name
        assert (seen[at + 1 :] == 0).all(), name
        if name in ("u", "delta", "b"):
            assert (seen[:at] > 0).all(), name


def member_alone_equals_member_in_a_stack(impl, device="cpu", T=6):
    """Values to the bit, sums over sequences to rounding."""
    x = inputs(3, 4, T, 9, 8, torch.float32, "shared", device=device)
    stack = everything(x, impl)
    g = torch.Generator().manual_seed(7)
    weights = {
        name: torch.randn(stack[name].shape, generator=g, dtype=torch.float64)
        for name in ("y", "last_state")
    }
    for k in range(3):
        leaves = {n: t[k : k + 1].detach().requires_grad_() for n, t in x.items()}
        result = selective_scan(**leaves, impl=impl)
        loss = sum(
            (t * weights[n][k : k + 1].to(t.device, t.dtype)).sum()
            for n, t in result._asdict().items()
        )
        grads = torch.autograd.grad(loss, list(leaves.values()))
        for name, t in zip(leaves, grads, strict=True):
            assert_close(t.cpu(), stack[f"d{name}"][k : k + 1].cpu().double(), 1e-6)
        assert_close(result.y.cpu(), stack["y"][k : k + 1].cpu().double(), 1e-7)


def repeats_to_the_bit(impl, device="cpu", T=9, dtype=torch.bfloat16, K=2, B=5, C=40):
    """The same call twice."""
    x = inputs(K, B, T, C, 8, dtype, "shared", device=device)
    first, second = everything(x, impl), everything(x, impl)
    for name, t in first.items():
        assert torch.equal(t, second[name]), name


def small_steps_keep_their_digits(impl):
    """dt of 1e-5, where log(1 + exp(x)) in float32 has lost most of its own."""
    x = inputs(1, 2, 3, 4, 5, torch.float32)
    x["delta"] = x["delta"] * 0.1 - 11.5
    x["delta_bias"] = x["delta_bias"] * 0
    expected, found = everything(double(x), "reference"), everything(x, impl)
    assert_close(found["last_state"], expected["last_state"], 3e-6)
    assert_close(found["ddelta"], expected["ddelta"], 3e-6)
