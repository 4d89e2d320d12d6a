"""The optimiser step on a device: what an interpreter cannot show."""

import pytest
import torch

from geomem.kernels import AdamWHyper, member_norm
from tests.kernels import adamw_cases as cases
from tests.kernels import norm_cases as cases_of_norms

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; none is visible"
)


@pytest.mark.parametrize("P", [1, 37, 1023, 4097, 150_016])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("impl", ["triton", "reference"])
def test_equals_separate_optimisers(P, dtype, impl):
    cases.hold(3, P, dtype, impl, "cuda")


@pytest.mark.parametrize("impl", ["triton", "reference"])
def test_how_it_behaves(impl):
    for dtype in (torch.float32, torch.float64):
        cases.inactive_members_keep_every_bit(impl, dtype, "cuda", P=1100)
        cases.member_alone_equals_member_in_a_stack(impl, dtype, "cuda")
        cases.rows_may_lie_apart(impl, dtype, "cuda")
        cases.arrays_are_stepped_as_one(impl, dtype, "cuda")
        cases.first_steps_keep_their_digits(impl, dtype, "cuda")
    cases.scale_multiplies_the_gradient(impl, device="cuda")
    cases.gradients_may_have_half_the_bits(impl, "cuda")


def _arguments(K, P, device="cuda"):
    g, m, v = (torch.randn(K, P, device=device) for _ in range(3))
    on = torch.ones(K, dtype=torch.bool, device=device)
    h = cases.hyper([3] * K, torch.float32, device)
    return torch.randn(K, P, device=device), g, m, v.abs(), h, on


def test_members_that_begin_past_two_to_the_31():
    """70 000 members, of which the last alone moves; its moments and gradients are shared rows."""
    K, P = 70_000, 32_768
    wide, narrow = (torch.zeros(K, width, device="cuda") for width in (P, 8))
    one = cases.hyper([1], torch.float32, "cuda")
    h = AdamWHyper(*(t.expand(K) for t in one))
    on = torch.arange(K, device="cuda") == K - 1
    for p in (wide, narrow):
        g, m, v = (p.new_full((1, p.shape[1]), x).expand_as(p) for x in (1.0, 0.0, 0.0))
        cases.adamw_step(p, g, m, v, h, on)
    assert torch.equal(wide[-1, :8], narrow[-1])
    assert wide[-1].abs().min() > 0
    assert wide[:-1].count_nonzero() == 0


def test_replays_in_a_graph_and_never_waits_for_the_device():
    p, g, m, v, h, on = _arguments(40, 3001)
    fresh = [t.clone() for t in (p, m, v)]

    def step():
        norm = member_norm([g])
        clipped = h._replace(scale=(1 / norm).clamp(max=1.0))
        cases.adamw_step(p, g, m, v, clipped, on)

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()
    torch.cuda.current_stream().wait_stream(side)
    expected = [t.clone() for t in (p, m, v)]
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    for t, start in zip((p, m, v), fresh, strict=True):
        t.copy_(start)
    graph.replay()
    for t, wanted in zip((p, m, v), expected, strict=True):
        assert torch.equal(t, wanted)


@pytest.mark.parametrize(("K", "sizes"), [(1, [30_000_000]), (8, [150_000, 96]), (4096, [3001, 5])])
def test_norms(K, sizes):
    cases_of_norms.how_it_behaves("triton", "cuda")
    cases_of_norms.some_arrays_may_have_half_the_bits("triton", "cuda")
    for dtype in (torch.float32, torch.float64):
        cases_of_norms.hold(min(K, 8), sizes, dtype, "triton", "cuda")
    g = [torch.randn(K, P, device="cuda") for P in sizes]
    first = member_norm(g)
    for _ in range(5):
        assert torch.equal(member_norm(g), first)
