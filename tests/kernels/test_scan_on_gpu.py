"""The scan and the convolution on a device: what an interpreter cannot show."""

import pytest
import torch

from geomem.kernels import causal_conv1d, selective_scan
from tests.kernels import conv_cases, scan_cases

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; the interpreter has no race to lose"
)

# T by regime: one step, one tile, several, ragged, the longest chunk, chunks. S: each block.
SHAPES = [
    (8, 64, 1, 128, 8, "shared"),
    (8, 12, 6, 128, 8, "shared"),
    (3, 7, 4, 96, 16, None),
    (2, 33, 16, 200, 16, "own"),
    (1, 5, 33, 64, 6, "own"),
    (2, 9, 64, 130, 32, "shared"),
    (1, 3, 17, 40, 64, "own"),
    (2, 5, 6, 40, 130, "shared"),  # three scans
    (1, 3, 65, 130, 16, "own"),
    (1, 2, 1000, 96, 16, "shared"),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scan(shape, dtype):
    *sizes, start = shape
    K, B, T, *_ = sizes
    x = scan_cases.inputs(*sizes, dtype, start, device="cuda")
    scan_cases.hold(x, "triton")
    scan_cases.hold(x, "triton", scan_cases.some_lengths(K, B, T, "cuda"))


@pytest.mark.parametrize("T", [1, 5, 8, 9, 70])
@pytest.mark.parametrize("start", [None, "shared", "own"])
def test_convolution(T, start):
    for dtype in (torch.float32, torch.bfloat16):
        for W, C in ((4, 200), (2, 64), (3, 33)):
            x = conv_cases.inputs(3, 17, T, C, W, dtype, start, device="cuda")
            conv_cases.hold(x, "triton")


@pytest.mark.parametrize("T", [9, 130])
def test_how_the_scan_behaves(T):
    scan_cases.padding_changes_nothing("triton", "cuda", T)
    scan_cases.parts_equal_the_whole("triton", "cuda", T, T // 2 + 1, budget=3e-6)
    scan_cases.shared_start_sums_its_gradients("triton", "cuda", T, budget=3e-6)
    scan_cases.no_step_sees_what_comes_after_it("triton", "cuda")
    scan_cases.member_alone_equals_member_in_a_stack("triton", "cuda", T)


def test_how_the_convolution_behaves():
    conv_cases.parts_equal_the_whole("triton", "cuda")
    conv_cases.shared_start_sums_its_gradients("triton", "cuda")
    conv_cases.no_step_sees_what_comes_after_it("triton", "cuda")
    conv_cases.member_alone_equals_member_in_a_stack("triton", "cuda")


def test_no_race_shows_in_the_bits():
    for _ in range(5):
        scan_cases.repeats_to_the_bit("triton", "cuda", T=8, K=4, B=2000, C=200)
        scan_cases.repeats_to_the_bit("triton", "cuda", T=64, K=4, B=200, C=200)
        scan_cases.repeats_to_the_bit("triton", "cuda", T=1000, K=1, B=8, C=200)
        conv_cases.repeats_to_the_bit("triton", "cuda", K=4, B=2000, C=200)


def test_auto_is_triton():
    x = scan_cases.inputs(2, 3, 4, 5, 6, torch.float32, device="cuda")
    for a, b in zip(selective_scan(**x), selective_scan(**x, impl="triton"), strict=True):
        assert torch.equal(a, b)
    y = conv_cases.inputs(2, 3, 4, 5, 4, torch.float32, device="cuda")
    assert torch.equal(causal_conv1d(**y), causal_conv1d(**y, impl="triton"))


def test_offsets_past_two_to_the_31():
    """Members, sequences or steps that far apart."""
    x = scan_cases.inputs(2, 2, 2, 40, 8, torch.bfloat16, device="cuda")
    expected = scan_cases.everything(x, "triton")
    far, near = 2**31 + 8, 64
    wide = torch.empty(far + 8 * near, dtype=torch.bfloat16, device="cuda")
    for strides in ((far, near, 2 * near, 1), (near, far, 2 * near, 1), (near, 2 * near, far, 1)):
        u = wide.as_strided(x["u"].shape, strides)
        u.copy_(x["u"])
        for name, t in scan_cases.everything({**x, "u": u}, "triton").items():
            assert torch.equal(t, expected[name]), name
    y = conv_cases.inputs(2, 2, 2, 40, 4, torch.bfloat16, device="cuda")
    plain = conv_cases.everything(y, "triton")
    moved = wide.as_strided(y["x"].shape, (near, 2 * near, far, 1)).copy_(y["x"])
    for name, t in conv_cases.everything({**y, "x": moved}, "triton").items():
        assert torch.equal(t, plain[name]), name


def test_replays_in_a_graph_and_never_waits_for_the_device():
    x = scan_cases.inputs(4, 8, 70, 64, 8, torch.bfloat16, "shared", device="cuda")
    y = conv_cases.inputs(4, 8, 6, 64, 4, torch.bfloat16, "shared", device="cuda")
    x, y = ({n: t.detach().requires_grad_() for n, t in given.items()} for given in (x, y))

    def step():
        scan, conv = selective_scan(**x, impl="triton"), causal_conv1d(**y, impl="triton")
        loss = scan.y.sum() + scan.last_state.sum() + conv.sum()
        return *scan, conv, *torch.autograd.grad(loss, [*x.values(), *y.values()])

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
