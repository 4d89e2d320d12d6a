"""The kernels of short attention under the interpreter."""

import pytest
import torch
from torch.library import opcheck

from geomem.kernels import packed_attention, short_attention
from geomem.kernels.blocks import Block
from geomem.kernels.short_attention import fused
from geomem.kernels.short_attention.problem import Inputs
from tests.kernels import attention_cases as cases

# K, B, T, P, H, Dh: each size of tile, sequences that fill it, leave rows over or stand alone in
# it, a last tile that is not full, heads of one column, of a whole tile's and of ragged widths.
SHAPES = [
    (3, 7, 5, 1, 2, 6),
    (2, 17, 1, 1, 1, 1),
    (2, 35, 1, 2, 3, 16),
    (1, 19, 5, 3, 2, 40),
    (1, 5, 8, 0, 1, 33),
    (1, 3, 17, 0, 1, 5),
    (1, 3, 9, 9, 1, 16),
    (1, 2, 64, 0, 1, 16),
    (1, 3, 7, 57, 1, 4),
    (1, 2, 20, 20, 2, 30),
    (1, 2, 14, 14, 1, 64),
    (1, 3, 4, 2, 1, 128),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_regime(shape, dtype):
    cases.hold(cases.inputs(*shape, dtype), "triton")


# Several blocks and one; prefixes of one token and of more, and none; tiles that a block does not
# fill; heads of ragged widths.
PACKED = [
    ([(1, 40, 1), (1, 9, 6)], 2, 16),
    ([(3, 7, 5)], 3, 6),
    ([(0, 5, 4), (9, 3, 9), (0, 4, 1)], 1, 33),
]


@pytest.mark.parametrize(("blocks", "H", "Dh"), PACKED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_of_a_packed_projection(blocks, H, Dh, dtype, bias):
    cases.hold_packed(2, blocks, H, Dh, dtype, "triton", bias)


def test_prefixes_seen_by_more_tiles_than_are_summed_at_once(monkeypatch):
    monkeypatch.setattr(fused, "PARTS", 64)
    cases.hold_packed(1, [(2, 60, 6)], 2, 16, torch.float32, "triton")


def test_a_packed_member_alone_equals_that_in_a_stack():
    cases.packed_member_alone_equals_member_in_a_stack("triton")


def test_packed_rows_may_lie_apart():
    cases.packed_rows_may_lie_apart("triton")


def test_a_packed_projection_has_no_second_derivative():
    x = cases.packed_inputs(1, [(1, 2, 3)], 1, 4, torch.float32, bias=False)["qkv"].requires_grad_()
    o = packed_attention(x, [Block(1, 2, 3)], impl="triton")
    with pytest.raises(RuntimeError, match='second derivatives need impl="reference"'):
        torch.autograd.grad(o.sum(), x, create_graph=True)


def test_how_it_behaves():
    cases.no_token_sees_another_sequence_or_what_comes_after_it("triton")
    cases.no_token_sees_another_sequence_or_what_comes_after_it("triton", T=1, P=1)
    cases.member_alone_equals_member_in_a_stack("triton")
    cases.large_scores_stay_numbers("triton")
    cases.any_strides_will_do("triton")
    cases.repeats_to_the_bit("triton")


@pytest.mark.parametrize("P", [0, 2])
def test_gradcheck_in_double(P):
    tensors = [t.clone().requires_grad_() for t in cases.inputs(1, 2, 3, P, 1, 2).values()]
    # In one random direction each: a thousand launches of an interpreter would take minutes.
    run = lambda *t: short_attention(*t, impl="triton")  # noqa: E731
    assert torch.autograd.gradcheck(run, tensors, fast_mode=True)


@pytest.mark.parametrize("P", [0, 2])
def test_the_operator_is_registered_as_pytorch_wants_it(P):
    x = cases.inputs(1, 2, 3, P, 2, 4)
    given = [x[n].clone().requires_grad_() if n in x else None for n in Inputs._fields]
    opcheck(torch.ops.geomem.short_attention.default, tuple(given))


def test_compiles_without_breaks():
    x = {n: t.clone().requires_grad_() for n, t in cases.inputs(1, 2, 3, 2, 2, 4).items()}
    run = torch.compile(cases.by("triton"), backend="aot_eager", fullgraph=True)
    found = torch.autograd.grad(run(**x).sum(), list(x.values()))
    plain = torch.autograd.grad(cases.by("triton")(**x).sum(), list(x.values()))
    for a, b in zip(found, plain, strict=True):
        assert torch.equal(a, b)


def test_there_is_no_second_derivative():
    x = {n: t.clone().requires_grad_() for n, t in cases.inputs(1, 2, 3, 0, 1, 4).items()}
    with pytest.raises(RuntimeError, match='second derivatives need impl="reference"'):
        torch.autograd.grad(cases.by("triton")(**x).sum(), x["q"], create_graph=True)


def test_longer_contexts_are_refused():
    with pytest.raises(ValueError, match=r"choose one of auto, reference, eager, sdpa$"):
        short_attention(**cases.inputs(1, 1, 60, 5, 1, 4, torch.float32), impl="triton")
