"""Short attention on a device: what an interpreter cannot show."""

import pytest
import torch

from geomem.kernels import short_attention
from geomem.kernels.short_attention import library
from tests.kernels import attention_cases as cases

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; none is visible"
)

SHAPES = [  # K, B, T, P, H, Dh
    (8, 512, 1, 1, 4, 16),
    (8, 48, 6, 1, 4, 16),
    (1, 300, 8, 0, 12, 64),
    (64, 34, 6, 1, 1, 32),
    (2, 33, 5, 3, 3, 33),
    (3, 7, 20, 12, 2, 98),
    (1, 9, 64, 0, 2, 128),
    (2, 5, 3, 61, 1, 4),
    (2, 9, 6, 1, 2, 130),  # for no kernel
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("impl", ["auto", "eager", "sdpa"])
def test_every_regime(shape, dtype, impl):
    cases.hold(cases.inputs(*shape, dtype, device="cuda"), impl)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_long_contexts(dtype):
    cases.hold(cases.inputs(2, 5, 200, 3, 2, 64, dtype, device="cuda"), "auto")
    if dtype == torch.bfloat16 and library.flash_attention() is not None:
        cases.hold(cases.inputs(2, 5, 200, 3, 2, 64, dtype, device="cuda"), "flash")


PACKED = [  # K, blocks, H, Dh
    (512, [(1, 512, 1), (1, 48, 6)], 4, 16),
    (1, [(1, 1952, 1), (1, 96, 10)], 8, 48),
    (4096, [(1, 17, 1)], 4, 8),
    (3, [(0, 9, 5), (30, 4, 30)], 2, 33),
    (1, [(0, 2, 100), (1, 3, 4)], 2, 64),  # of which one is too long for a kernel
]


@pytest.mark.parametrize(("K", "blocks", "H", "Dh"), PACKED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_of_a_packed_projection(K, blocks, H, Dh, dtype, bias):
    cases.hold_packed(K, blocks, H, Dh, dtype, "auto", bias, "cuda")


def test_how_it_behaves():
    cases.packed_member_alone_equals_member_in_a_stack("triton", "cuda")
    cases.packed_rows_may_lie_apart("triton", "cuda")
    cases.no_token_sees_another_sequence_or_what_comes_after_it("triton", "cuda")
    cases.no_token_sees_another_sequence_or_what_comes_after_it("triton", "cuda", T=1, P=1)
    cases.member_alone_equals_member_in_a_stack("triton", "cuda")
    cases.large_scores_stay_numbers("triton", "cuda")
    cases.any_strides_will_do("triton", "cuda")


def test_no_race_shows_in_the_bits():
    for _ in range(5):
        for dtype in (torch.bfloat16, torch.float32):
            cases.repeats_to_the_bit("triton", "cuda", dtype, K=2, B=20_000)
            cases.repeats_to_the_bit("triton", "cuda", dtype, K=64, B=300, T=20, P=7, H=3, Dh=64)


def test_more_sequences_than_a_grid_has_rows():
    """SDPA refuses 65 536 of them; in one launch or in batches they are as good as few."""
    x = cases.inputs(1, 70_000, 2, 1, 1, 8, torch.bfloat16, device="cuda")
    whole = {impl: cases.everything(x, cases.by(impl)) for impl in ("triton", "sdpa")}
    for name, t in whole["triton"].items():
        torch.testing.assert_close(t, whole["sdpa"][name], rtol=3e-2, atol=3e-2)


def test_offsets_past_two_to_the_31():
    """Members, sequences, positions or heads that far apart."""
    x = cases.inputs(2, 2, 3, 2, 2, 16, torch.bfloat16, device="cuda")
    expected = cases.everything(x, cases.by("triton"))
    wide = torch.empty(2**32 + 2**20, dtype=torch.bfloat16, device="cuda")
    far = 2**31 + 16
    for apart in range(4):
        near = iter((16, 64, 256))
        strides = [far if i == apart else next(near) for i in range(4)]
        k = wide.as_strided(x["k"].shape, (*strides, 1))
        k.copy_(x["k"])
        for name, t in cases.everything({**x, "k": k}, cases.by("triton")).items():
            assert torch.equal(t, expected[name]), name


def test_replays_in_a_graph_and_never_waits_for_the_device():
    x = cases.inputs(4, 50, 6, 1, 4, 16, torch.bfloat16, device="cuda")
    x = {name: t.detach().requires_grad_() for name, t in x.items()}

    def step():
        o = short_attention(**x)
        return o, *torch.autograd.grad(o.square().sum(), list(x.values()))

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    expected = [t.detach().clone() for t in step()]
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = [t.detach() for t in step()]
    for t in found:
        t.fill_(torch.nan)
    graph.replay()
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)
