"""Inputs of short attention, what holds for every implementation, and how to hold it.

K members · B sequences · T positions · P positions of the prefix · H heads · Dh width of a head
"""

import torch
from torch.nn import functional as F

from geomem.kernels import packed_attention, short_attention
from geomem.kernels.blocks import Block, rows_of
from tests.closeness import assert_as_good, assert_close

NAMES = ("q", "k", "v", "prefix_k", "prefix_v")


def inputs(K, B, T, P, H, Dh, dtype=torch.float64, seed=0, device="cpu", scale=1.0):
    """Views of one packed projection, the prefix in front, as a model makes them."""
    g = torch.Generator().manual_seed(seed)
    rows = torch.randn(K, P + B * T, 3, H, Dh, generator=g, dtype=torch.float64)
    rows[:, :, :2] *= scale**0.5
    rows = rows.to(dtype).to(device)
    found = list(rows[:, P:].unflatten(1, (B, T)).unbind(3))
    if P:
        found += rows[:, :P].unbind(2)[1:]
    return dict(zip(NAMES, found, strict=False))


def textbook(q, k, v, prefix_k=None, prefix_v=None):
    """PyTorch's own, with a mask."""
    T, P = q.shape[2], 0
    if prefix_k is not None:
        P = prefix_k.shape[1]
        repeat = (1, q.shape[1], 1, 1, 1)
        k = torch.cat([prefix_k[:, None].repeat(*repeat), k], 2)
        v = torch.cat([prefix_v[:, None].repeat(*repeat), v], 2)
    mask = torch.arange(P + T) <= torch.arange(T)[:, None] + P
    heads_first = [t.transpose(2, 3) for t in (q, k, v)]
    return F.scaled_dot_product_attention(*heads_first, attn_mask=mask).transpose(2, 3)


def weights(o, seed=7):
    """Factors of a weighted sum of results."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(o.shape, generator=g, dtype=torch.float64).to(o.device, o.dtype)


def everything(x, run):
    """The result and the gradients of a weighted sum of it, by name."""
    x = {name: t.detach().requires_grad_() for name, t in x.items()}
    o = run(**x)
    grads = torch.autograd.grad((o * weights(o)).sum(), list(x.values()), materialize_grads=True)
    found = {"o": o} | {f"d{name}": g for name, g in zip(x, grads, strict=True)}
    return {name: t.detach() for name, t in found.items()}


def by(impl):
    """The op with one of its implementations."""
    return lambda **x: short_attention(**x, impl=impl)


def hold(x, impl):
    """Everything of an implementation against float64, as good as plain operations in its dtype."""
    expected = everything({name: t.cpu().double() for name, t in x.items()}, textbook)
    plain, found = everything(x, by("reference")), everything(x, by(impl))
    for name, t in found.items():
        assert t.dtype == plain[name].dtype, name
        if expected[name].norm() < 1e-12:  # one score, whatever it is, has probability 1
            assert t.abs().max() < 1e-6, name
            continue
        assert_as_good(t.cpu(), expected[name], plain[name].cpu(), x["q"].dtype)


def no_token_sees_another_sequence_or_what_comes_after_it(impl, device="cpu", T=5, P=2):
    """By the gradient of one position of one sequence."""
    x = inputs(2, 3, T, P, 2, 4, torch.float32, device=device)
    x = {name: t.detach().requires_grad_() for name, t in x.items()}
    o, at = short_attention(**x, impl=impl), T // 2
    grads = torch.autograd.grad(o[0, 1, at].sum(), list(x.values()))
    for name, grad in zip(x, grads, strict=True):
        assert grad[1].abs().max() == 0, name
        own = grad[0]
        if not name.startswith("prefix"):
            assert own[[0, 2]].abs().max() == 0, name
            seen = own[1].abs().sum((1, 2))
            assert (seen[at + 1 :] == 0).all(), name
            wanted = seen[: at + 1] if name != "q" else seen[at]
            assert (wanted > 0).all(), name
        else:
            assert (own.abs().sum((1, 2)) > 0).all(), name


def member_alone_equals_member_in_a_stack(impl, device="cpu", T=6, P=1):
    """Values to rounding, and so the gradients of a prefix, sums over the member's sequences."""
    x = inputs(3, 4, T, P, 2, 8, torch.float32, device=device)
    stack = everything(x, by(impl))
    for k in range(3):
        own = {name: t[k : k + 1].detach().requires_grad_() for name, t in x.items()}
        o = short_attention(**own, impl=impl)
        weight = weights(stack["o"])[k : k + 1]
        grads = torch.autograd.grad((o * weight).sum(), list(own.values()))
        assert_close(o.cpu(), stack["o"][k : k + 1].cpu().double(), 1e-6)
        for name, t in zip(own, grads, strict=True):
            assert_close(t.cpu(), stack[f"d{name}"][k : k + 1].cpu().double(), 1e-6)


def large_scores_stay_numbers(impl, device="cpu"):
    """Scores of thousands, of which the largest takes all, or of nothing but the lowest."""
    x = inputs(1, 5, 6, 2, 2, 16, torch.float32, device=device, scale=3e3)
    low = {name: -t.abs() if name.endswith("k") else t.abs() for name, t in x.items()}
    for given in (x, low):
        found = everything(given, by(impl))
        expected = textbook(**{name: t.cpu().double() for name, t in given.items()})
        assert_close(found["o"].cpu(), expected, 1e-3)
        assert all(torch.isfinite(t).all() for t in found.values())


def any_strides_will_do(impl, device="cpu"):
    """Positions outermost, heads before them, rows that begin at odd addresses."""
    x = inputs(2, 3, 4, 2, 2, 6, torch.float32, device=device)
    expected = everything(x, by(impl))
    moved = {}
    for name, t in x.items():
        order = (2, 3, 0, 1) if t.dim() == 5 else (2, 1, 0)
        sizes = [t.shape[i] for i in order]
        wide = torch.full((*sizes, t.shape[-1] + 3), torch.nan, device=device)
        wide[..., 1 : 1 + t.shape[-1]] = t.permute(*order, -1)
        back = [order.index(i) for i in range(len(order))]
        moved[name] = wide[..., 1 : 1 + t.shape[-1]].permute(*back, -1)
        assert torch.equal(moved[name], t)
    moved["v"] = moved["v"].mT.contiguous().mT
    for name, t in everything(moved, by(impl)).items():
        assert_close(t.cpu(), expected[name].cpu().double(), 1e-6)


def repeats_to_the_bit(impl, device="cpu", dtype=torch.bfloat16, K=2, B=9, T=6, P=1, H=2, Dh=16):
    """The same call twice."""
    x = inputs(K, B, T, P, H, Dh, dtype, device=device)
    first, second = everything(x, by(impl)), everything(x, by(impl))
    for name, t in first.items():
        assert torch.equal(t, second[name]), name


def packed_inputs(K, blocks, H, Dh, dtype, bias=True, seed=0, device="cpu"):
    """A projection of all rows, and its bias."""
    g = torch.Generator().manual_seed(seed)
    wide = torch.promote_types(dtype, torch.float32)
    qkv = torch.randn(K, rows_of(blocks), 3, H, Dh, generator=g, dtype=torch.float64)
    found = {"qkv": qkv.to(dtype).to(device)}
    if bias:
        added = torch.randn(K, 3, H, Dh, generator=g, dtype=torch.float64)
        found["bias"] = added.to(wide).to(device)
    return found


def packed_textbook(blocks):
    """PyTorch's own for every block, from slices of the rows."""

    def run(qkv, bias=None):
        qkv = qkv if bias is None else qkv + bias[:, None]
        first, found = 0, []
        for P, B, T in blocks:
            prefix = qkv[:, first : first + P].unbind(2)
            tokens = qkv[:, first + P : first + P + B * T].unflatten(1, (B, T)).unbind(3)
            if P:
                found.append(textbook(*(t[:, None] for t in prefix)).flatten(1, 2))
            found.append(textbook(*tokens, *(prefix[1:] if P else ())).flatten(1, 2))
            first += P + B * T
        return torch.cat(found, 1)

    return run


def hold_packed(K, blocks, H, Dh, dtype, impl, bias=True, device="cpu"):
    """The result and both gradients against float64, as good as plain operations in its dtype."""
    blocks = [Block(*block) for block in blocks]
    x = packed_inputs(K, blocks, H, Dh, dtype, bias, device=device)

    def by_impl(impl):
        return lambda **x: packed_attention(x["qkv"], blocks, bias=x.get("bias"), impl=impl)

    exact = {name: t.cpu().double() for name, t in x.items()}
    expected = everything(exact, packed_textbook(blocks))
    plain, found = everything(x, by_impl("reference")), everything(x, by_impl(impl))
    for name, t in found.items():
        assert t.dtype == plain[name].dtype, name
        assert_as_good(t.cpu(), expected[name], plain[name].cpu(), dtype)


def packed_rows_may_lie_apart(impl, device="cpu"):
    """A projection and a bias that are parts of something wider, turned, with NaN beside them."""
    blocks = [Block(1, 4, 1), Block(2, 3, 5)]
    x = packed_inputs(2, blocks, 2, 6, torch.float32, device=device)

    def run(qkv, bias):
        return packed_attention(qkv, blocks, bias=bias, impl=impl)

    moved = {}
    for name, t in x.items():
        wide = torch.full((*t.shape[1:], t.shape[0] + 1), torch.nan, device=device)
        wide[..., 1:] = t.movedim(0, -1)
        moved[name] = wide[..., 1:].movedim(-1, 0)
    expected = everything(x, run)
    for name, t in everything(moved, run).items():
        assert_close(t.cpu(), expected[name].cpu().double(), 1e-6)


def packed_member_alone_equals_member_in_a_stack(impl, device="cpu"):
    """To the bit: no sum crosses members."""
    blocks = [Block(1, 40, 1), Block(2, 9, 5)]
    x = packed_inputs(3, blocks, 2, 16, torch.bfloat16, device=device)

    def run(**x):
        return packed_attention(x["qkv"], blocks, bias=x["bias"], impl=impl)

    def weighted(x, weight):
        x = {name: t.detach().requires_grad_() for name, t in x.items()}
        o = run(**x)
        return o.detach(), *torch.autograd.grad((o * weight).sum(), list(x.values()))

    weight = weights(run(**x))
    stack = weighted(x, weight)
    for k in range(3):
        own = {name: t[k : k + 1] for name, t in x.items()}
        for a, b in zip(weighted(own, weight[k : k + 1]), stack, strict=True):
            assert torch.equal(a, b[k : k + 1])
