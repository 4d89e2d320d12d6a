"""Inputs of the residual addition and the norm after it, and what holds for every implementation.

K members · R rows · D width
"""

import torch

from geomem.kernels import add_norm
from tests.closeness import assert_as_good, assert_close

NAMES = ("x", "y", "weight", "bias", "y_bias")


def inputs(K, R, D, x=torch.float64, y=None, centred=True, device="cpu", seed=0, y_bias=True):
    """Rows far from zero and of other sizes; y: its dtype, None for none, and for no y_bias."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=g, dtype=torch.float64)

    parameters = torch.float64 if x == torch.float64 else torch.float32
    found = {"x": ((normal(K, R, D) + 3) * 10 * normal(K, R, 1).exp()).to(x)}
    found["y"] = None if y is None else normal(K, R, D).to(y)
    found["weight"] = normal(K, D).to(parameters)
    found["bias"] = normal(K, D).to(parameters) if centred else None
    found["y_bias"] = normal(K, D).to(parameters) if y is not None and y_bias else None
    return {name: None if t is None else t.to(device) for name, t in found.items()}


def run(x, dtype=None, impl="auto"):
    """The op of what `inputs` returns."""
    *first, y_bias = x.values()
    return add_norm(*first, y_bias=y_bias, dtype=dtype, impl=impl)


def everything(x, impl, dtype=None, used=("total", "normal")):
    """Results and the gradients of a weighted sum of those that are used, by name."""
    x = {name: None if t is None else t.detach().requires_grad_() for name, t in x.items()}
    found = run(x, dtype, impl)._asdict()
    g, loss = torch.Generator().manual_seed(7), 0.0
    for name, t in found.items():
        weight = torch.randn(t.shape, generator=g, dtype=torch.float64).to(t.device, t.dtype)
        if name in used:
            loss = loss + (t * weight).double().sum()
    leaves = {name: t for name, t in x.items() if t is not None}
    grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    found |= {f"d{name}": t for name, t in zip(leaves, grads, strict=True) if t is not None}
    return {name: t.detach() for name, t in found.items()}


def hold(x, impl, dtype=None, used=("total", "normal")):
    """Everything of an implementation against float64, as good as plain operations in its dtype."""
    exact = {name: None if t is None else t.cpu().double() for name, t in x.items()}
    if x["y"] is not None:  # what is normalised is the sum as the stream holds it
        rounded = run(x, impl="reference").total.cpu().double()
        exact["x"] = exact["x"] + (rounded - run(exact, impl="reference").total)
    expected = everything(exact, "reference", used=used)
    plain, found = everything(x, "reference", dtype, used), everything(x, impl, dtype, used)
    assert found.keys() == plain.keys() == expected.keys()
    coarsest = max((t.dtype for t in plain.values()), key=lambda dtype: torch.finfo(dtype).eps)
    for name, t in found.items():
        assert t.dtype == plain[name].dtype, name
        assert_as_good(t.cpu(), expected[name], plain[name].cpu(), coarsest)


def member_alone_equals_member_in_a_stack(impl, device="cpu"):
    """Its results and its gradients, which are sums over the member's own rows."""
    x = inputs(3, 37, 24, torch.float32, torch.bfloat16, device=device)
    stack = everything(x, impl)
    weights, g = [], torch.Generator().manual_seed(7)
    for name in ("total", "normal"):
        t = torch.randn(stack[name].shape, generator=g, dtype=torch.float64)
        weights.append(t.to(device, torch.float32))
    for k in range(3):
        own = {name: t[k : k + 1].detach().requires_grad_() for name, t in x.items()}
        found, leaves = run(own, impl=impl), list(own.values())
        loss = sum((t * w[k : k + 1]).double().sum() for t, w in zip(found, weights, strict=True))
        grads = torch.autograd.grad(loss, leaves)
        alone = dict(
            zip((*found._fields, *(f"d{n}" for n in NAMES)), (*found, *grads), strict=True)
        )
        for name, t in alone.items():
            assert_close(t.detach().cpu(), stack[name][k : k + 1].cpu().double(), 3e-6)


def strides_do_not_matter(impl, device="cpu"):
    """Rows and parameters that are parts of something larger, or turned."""
    x = inputs(2, 19, 9, torch.float32, torch.float32, device=device)
    expected = everything(x, impl)
    moved = {
        "x": x["x"].permute(1, 0, 2).contiguous().permute(1, 0, 2),
        "y": torch.nn.functional.pad(x["y"], (3, 2))[:, :, 3:-2],
        "weight": x["weight"].T.contiguous().T,
        "bias": x["bias"].T.contiguous().T,
        "y_bias": x["y_bias"].T.contiguous().T,
    }
    for name, t in everything(moved, impl).items():
        assert_close(t.cpu(), expected[name].cpu().double(), 1e-6)


def repeats_to_the_bit(impl, device="cpu", K=2, R=150, D=40):
    """The same call twice."""
    x = inputs(K, R, D, torch.float32, torch.bfloat16, device=device)
    first, second = (everything(x, impl, torch.bfloat16) for _ in range(2))
    for name, t in first.items():
        assert torch.equal(t, second[name]), name
