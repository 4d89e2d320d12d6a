"""Inputs of the causal convolution, and what holds for every implementation of it."""

import torch

from geomem.kernels import causal_conv1d
from tests.closeness import assert_as_good, assert_close

PARAMETERS = ("weight", "bias")


def inputs(K, B, T, C, W, dtype=torch.float64, start=None, seed=0, device="cpu", bias=True):
    """Arguments as a Mamba block makes them: x is a half of a tensor; start as in the scan."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=g, dtype=torch.float64)

    found = {"x": normal(K, B, T, 2 * C)[..., :C], "weight": normal(K, C, W)}
    if bias:
        found["bias"] = normal(K, C)
    if start is not None:
        found["initial"] = normal(K, 1 if start == "shared" else B, W - 1, C)
    single = torch.float64 if dtype == torch.float64 else torch.float32
    types = {name: single if name in PARAMETERS else dtype for name in found}
    return {name: t.to(types[name]).to(device) for name, t in found.items()}


def everything(x, impl, **options):
    """y and the gradients of a weighted sum of it, by name."""
    x = {name: t.detach().requires_grad_() for name, t in x.items()}
    y = causal_conv1d(**x, impl=impl, **options)
    g = torch.Generator().manual_seed(7)
    weight = torch.randn(y.shape, generator=g, dtype=torch.float64).to(y.device, y.dtype)
    grads = torch.autograd.grad((y * weight).sum(), list(x.values()))
    found = {"y": y} | {f"d{name}": g for name, g in zip(x, grads, strict=True)}
    return {name: t.detach() for name, t in found.items()}


def hold(x, impl, **options):
    """Everything of an implementation against float64, as good as plain operations in its dtype."""
    expected = everything({n: t.cpu().double() for n, t in x.items()}, "reference", **options)
    plain = everything(x, "reference", **options)
    found = everything(x, impl, **options)
    for name, t in found.items():
        assert t.dtype == plain[name].dtype, name
        assert_as_good(t.cpu(), expected[name], plain[name].cpu(), x["x"].dtype)


def parts_equal_the_whole(impl, device="cpu"):
    """The second part begins with the last steps of the first."""
    x = inputs(2, 3, 7, 5, 4, torch.float32, "own", device=device)
    whole = causal_conv1d(**x, impl=impl)
    first = causal_conv1d(**{**x, "x": x["x"][:, :, :5]}, impl=impl)
    rest = {**x, "x": x["x"][:, :, 5:], "initial": x["x"][:, :, 2:5]}
    joined = torch.cat([first, causal_conv1d(**rest, impl=impl)], 2)
    assert_close(joined.cpu(), whole.cpu().double(), 1e-6)


def shared_start_sums_its_gradients(impl, device="cpu"):
    """One start for all sequences gives what a copy for each gives."""
    x = inputs(2, 3, 5, 5, 4, torch.float32, "shared", device=device)
    copies = {**x, "initial": x["initial"].expand(2, 3, 3, 5)}
    shared, own = everything(x, impl), everything(copies, impl)
    own["dinitial"] = own["dinitial"].double().sum(1, keepdim=True)
    for name, t in shared.items():
        assert_close(t.cpu(), own[name].cpu().double(), 1e-6)


def no_step_sees_what_comes_after_it(impl, device="cpu"):
    """A step sees itself and the W-1 steps before it."""
    x = inputs(1, 2, 9, 5, 3, torch.float32, device=device)
    x["x"].requires_grad_()
    y = causal_conv1d(**x, impl=impl)
    (grad,) = torch.autograd.grad(y[:, :, 4].sum(), x["x"])
    assert (grad.abs().sum((0, 1, 3)) > 0).tolist() == [2 <= t <= 4 for t in range(9)]


def member_alone_equals_member_in_a_stack(impl, device="cpu"):
    """Its output and its gradients, which are sums over the member's own sequences."""
    x = inputs(3, 4, 5, 9, 4, torch.float32, "shared", device=device)
    stack = everything(x, impl)
    g = torch.Generator().manual_seed(7)
    weight = torch.randn(stack["y"].shape, generator=g, dtype=torch.float64).to(device)
    for k in range(3):
        leaves = {n: t[k : k + 1].detach().requires_grad_() for n, t in x.items()}
        y = causal_conv1d(**leaves, impl=impl)
        assert_close(y.detach().cpu(), stack["y"][k : k + 1].cpu().double(), 1e-6)
        grads = torch.autograd.grad((y * weight[k : k + 1].float()).sum(), list(leaves.values()))
        for name, t in zip(leaves, grads, strict=True):
            assert_close(t.cpu(), stack[f"d{name}"][k : k + 1].cpu().double(), 1e-6)


def repeats_to_the_bit(impl, device="cpu", K=2, B=5, C=40):
    """The same call twice."""
    x = inputs(K, B, 9, C, 4, torch.bfloat16, "shared", device=device)
    first, second = everything(x, impl), everything(x, impl)
    for name, t in first.items():
        assert torch.equal(t, second[name]), name
