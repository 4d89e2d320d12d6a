"""Members with settings of their own, what torch.optim makes of them, and how an op is held."""

import torch

from geomem.kernels import AdamWHyper
from geomem.kernels import adamw_step as step_of_arrays
from tests.closeness import assert_close

SETTINGS = [  # lr, weight decay, betas, eps
    (1e-2, 0.0, (0.9, 0.999), 1e-8),
    (3e-4, 10.0, (0.0, 0.99), 1e-6),
    (0.5, 0.01, (0.9, 0.95), 1e-8),
]
JOINED = (0, 2, 1)  # steps that the stack had done before each member's first


def adamw_step(p, g, m, v, h, active, *, impl="auto"):
    """The op on one array."""
    step_of_arrays([p], [g], [m], [v], h, active, impl=impl)


def hyper(steps, dtype=torch.float64, device="cpu", scale=1.0):
    """One column of settings for each member, at a step of its own, repeated from member 3 on."""
    members = zip(steps, SETTINGS * len(steps), strict=False)
    rows = [[lr, decay, *betas, eps, scale, step] for step, (lr, decay, betas, eps) in members]
    return AdamWHyper(*torch.tensor(rows, dtype=dtype, device=device).T)


def gradients(K, P, steps, seed=0):
    """Float64 [steps, K, P], of a size that depends on the place."""
    g = torch.Generator().manual_seed(seed)
    sizes = 10.0 ** torch.linspace(-6, 2, P, dtype=torch.float64)
    return torch.randn(steps, K, P, generator=g, dtype=torch.float64) * sizes


def start(K, P, dtype=torch.float64, device="cpu", seed=1):
    """Parameters and zero moments."""
    g = torch.Generator().manual_seed(seed)
    p = torch.randn(K, P, generator=g, dtype=torch.float64).to(dtype).to(device)
    return p, torch.zeros_like(p), torch.zeros_like(p)


def by_separate_optimisers(p, grads, settings):
    """Parameters [K, P] after members that joined late were stepped one by one, in float64."""
    rows = []
    for k, row in enumerate(p):
        lr, decay, beta1, beta2, eps = settings[k]
        peer = torch.nn.Parameter(row.double().clone())
        optimiser = torch.optim.AdamW(
            [peer], lr=lr, weight_decay=decay, betas=(beta1, beta2), eps=eps, fused=False
        )
        for g in grads[JOINED[k % 3] :, k]:
            peer.grad = g.double().clone()
            optimiser.step()
        rows.append(peer.detach())
    return torch.stack(rows)


def by_one_stack(p, grads, dtype, impl, device="cpu"):
    """The same by the op."""
    p, m, v = p.clone(), torch.zeros_like(p), torch.zeros_like(p)
    joined = torch.tensor([JOINED[k % 3] for k in range(len(p))], device=device)
    for done, g in enumerate(grads):
        steps = [max(1, done - j + 1) for j in joined.tolist()]
        h = hyper(steps, dtype, device)
        adamw_step(p, g.to(dtype).to(device), m, v, h, joined <= done, impl=impl)
    return p


def hold(K, P, dtype, impl, device="cpu", steps=5):
    """K members against K optimisers of PyTorch with exactly the same settings, in float64."""
    grads = gradients(K, P, steps).to(dtype)
    p, *_ = start(K, P, dtype)
    settings = [[float(t[k]) for t in hyper([1] * K, dtype)[:5]] for k in range(K)]
    expected = by_separate_optimisers(p, grads, settings)
    found = by_one_stack(p.to(device), grads, dtype, impl, device)
    # What a step moves is far less than what stands there: only the difference tells anything.
    moved, wanted = found.cpu().double() - p.double(), expected - p.double()
    for one, right in zip(moved, wanted, strict=True):
        assert_close(one, right, 1e-12 if dtype == torch.float64 else 5e-5)


def inactive_members_keep_every_bit(impl, dtype=torch.float32, device="cpu", P=37):
    """Also beside NaN gradients, and whatever becomes of their neighbours."""
    p, m, v = start(3, P, dtype, device)
    g, m, v = (gradients(3, P, 1, seed)[0].to(dtype).to(device).abs() for seed in range(3))
    g[1] = torch.nan
    m[1, 0], v[1, -1] = torch.inf, -0.0
    now = [t.clone() for t in (p, m, v)]
    active = torch.tensor([True, False, True], device=device)
    h = hyper([3, 4, 5], dtype, device)
    adamw_step(now[0], g, *now[1:], h, active, impl=impl)
    for after, before in zip(now, (p, m, v), strict=True):
        assert torch.equal(after[1], before[1])
        assert not torch.equal(after[0], before[0])
        assert torch.isfinite(after[[0, 2]]).all()


def member_alone_equals_member_in_a_stack(impl, dtype=torch.float32, device="cpu"):
    """To the bit, for rows of a multiple of 16 elements."""
    p, *_ = start(3, 1040, dtype, device)
    g, m, v = (gradients(3, 1040, 1, seed)[0].to(dtype).to(device).abs() for seed in range(3))
    whole = [t.clone() for t in (p, m, v)]
    on = torch.ones(3, dtype=torch.bool, device=device)
    h = hyper([3, 4, 5], dtype, device)
    adamw_step(whole[0], g, *whole[1:], h, on, impl=impl)
    for k in range(3):
        own = slice(k, k + 1)
        alone = [t[own].clone() for t in (p, m, v)]
        settings = AdamWHyper(*(t[own] for t in h))
        adamw_step(alone[0], g[own], *alone[1:], settings, on[own], impl=impl)
        for one, all_ in zip(alone, whole, strict=True):
            assert torch.equal(one[0], all_[k])


def rows_may_lie_apart(impl, dtype=torch.float32, device="cpu"):
    """Every tensor a part of a wider one; what lies between is not touched."""
    tensors = [*start(3, 37, dtype, device), gradients(3, 37, 1)[0].to(dtype).to(device)]
    wide = [torch.full((3, 50), 7.0, dtype=dtype, device=device) for _ in tensors]
    for w, t in zip(wide, tensors, strict=True):
        w[:, 5:42] = t
    on = torch.ones(3, dtype=torch.bool, device=device)
    h = hyper([1, 2, 3], dtype, device)
    for p, m, v, g in (tensors, [w[:, 5:42] for w in wide]):
        adamw_step(p, g, m, v, h, on, impl=impl)
    for w, t in zip(wide, tensors, strict=True):
        torch.testing.assert_close(w[:, 5:42], t, rtol=1e-6, atol=0)
        assert (w[:, :5] == 7).all()
        assert (w[:, 42:] == 7).all()


def scale_multiplies_the_gradient(impl, dtype=torch.float64, device="cpu"):
    """For each member its own."""
    g = gradients(3, 5, 1)[0].to(dtype).to(device)
    scales = torch.tensor([0.25, 1.0, 0.0], dtype=dtype, device=device)
    results = []
    for gradient, scale in ((g * scales[:, None], scales * 0 + 1), (g, scales)):
        p, m, v = start(3, 5, dtype, device)
        on = torch.ones(3, dtype=torch.bool, device=device)
        h = hyper([1, 1, 1], dtype, device)._replace(scale=scale)
        before = gradient.clone()
        adamw_step(p, gradient, m, v, h, on, impl=impl)
        assert torch.equal(gradient, before)
        results.append(torch.cat([p, m, v]))
    torch.testing.assert_close(results[0], results[1], rtol=1e-14, atol=0)


def first_steps_keep_their_digits(impl, dtype=torch.float32, device="cpu"):
    """1 - beta^t of an early step with beta near 1: the first step moves by lr exactly."""
    for beta in (0.9, 0.999, 0.99999):
        p = torch.zeros(1, 8, dtype=dtype, device=device)
        m, v, g = torch.zeros_like(p), torch.zeros_like(p), torch.full_like(p, 3.0)
        columns = (1e-3, 0.0, beta, beta, 0.0, 1.0, 1.0)
        h = AdamWHyper(*(torch.tensor([c], dtype=dtype, device=device) for c in columns))
        adamw_step(p, g, m, v, h, torch.ones(1, dtype=torch.bool, device=device), impl=impl)
        assert_close(p.cpu(), torch.full((1, 8), -1e-3, dtype=torch.float64), 1e-6)


def arrays_are_stepped_as_one(impl, dtype=torch.float32, device="cpu"):
    """Three arrays in one call equal their columns in one array."""
    p, *_ = start(3, 48, dtype, device)
    g, m, v = (gradients(3, 48, 1, seed)[0].to(dtype).to(device).abs() for seed in range(3))
    on, h = torch.tensor([True, False, True], device=device), hyper([3, 4, 5], dtype, device)
    tensors = (p, g, m, v)
    columns = [slice(0, 16), slice(16, 17), slice(17, 48)]
    parts = [[t[:, c].clone() for c in columns] for t in tensors]
    step_of_arrays(*parts, h, on, impl=impl)
    adamw_step(p, g, m, v, h, on, impl=impl)
    for whole, part in zip(tensors, parts, strict=True):
        torch.testing.assert_close(torch.cat(part, 1), whole, rtol=1e-5, atol=0)


def gradients_may_have_half_the_bits(impl, device="cpu"):
    """Those of some arrays; the step is that of the numbers that they are, to the bit."""
    half, full = (gradients(3, P, 1)[0].to(device).bfloat16() for P in (48, 1040))
    on, h = (
        torch.tensor([True, False, True], device=device),
        hyper([3, 4, 5], torch.float32, device),
    )
    results = []
    for g in ([half, full.float()], [half.float(), full.float()]):
        p, m, v = zip(*(start(3, t.shape[1], torch.float32, device) for t in g), strict=True)
        step_of_arrays(p, g, m, v, h, on, impl=impl)
        results.append(torch.cat([*p, *m, *v], 1))
        assert half.dtype == torch.bfloat16
    assert torch.equal(*results)
    assert results[0][0].abs().min() > 0
