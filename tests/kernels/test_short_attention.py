"""Short attention against PyTorch's own, in fp64, with and without a shared prefix."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from geomem.kernels import choice, packed_attention, short_attention
from geomem.kernels.blocks import Block
from geomem.kernels.choice import recorded_choices
from geomem.kernels.cpu_matmul import _permitted
from geomem.kernels.short_attention import library
from geomem.kernels.short_attention.api import implementation
from geomem.kernels.short_attention.problem import Inputs
from tests.kernels import attention_cases as cases

IMPLEMENTATIONS = ["reference", "eager", "sdpa"]
SHAPES = [  # K, B, T, P, H, Dh
    *((2, 5, T, P, 3, 4) for T in (1, 2, 7) for P in (0, 1, 3)),
    (2, 12, 6, 1, 2, 16),  # four sequences to a tile
    (3, 8, 12, 3, 1, 1),  # two
    (1, 2, 70, 5, 2, 8),  # a long context
]


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_implementation_is_as_good_as_the_reference(impl, shape):
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        cases.hold(cases.inputs(*shape, dtype), impl)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
def test_how_every_implementation_behaves(impl):
    cases.no_token_sees_another_sequence_or_what_comes_after_it(impl)
    cases.no_token_sees_another_sequence_or_what_comes_after_it(impl, T=1, P=1)
    cases.member_alone_equals_member_in_a_stack(impl)
    cases.large_scores_stay_numbers(impl)
    cases.any_strides_will_do(impl)
    cases.repeats_to_the_bit(impl)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize(("T", "P"), [(1, 1), (3, 0), (3, 2)])
def test_gradcheck_in_double(impl, T, P):
    x = cases.inputs(1, 2, T, P, 1, 2)
    tensors = [t.clone().requires_grad_() for t in x.values()]
    assert torch.autograd.gradcheck(lambda *t: short_attention(*t, impl=impl), tensors)


def test_one_token_alone_is_what_it_was():
    x = cases.inputs(2, 3, 1, 0, 2, 4)
    assert torch.equal(short_attention(**x), x["v"])


@pytest.mark.parametrize("P", [0, 3])
def test_pytorch_is_kept_from_multiplying_piece_by_piece_in_another_library(monkeypatch, P):
    x = cases.inputs(1, 2, 70, P, 2, 8, torch.float32)
    plain = cases.everything(x, cases.by("sdpa"))
    seen, sdpa = [], F.scaled_dot_product_attention
    settings = torch.backends.mkldnn.matmul

    def watched(*args, **kwargs):
        o = sdpa(*args, **kwargs)
        seen.append(settings.fp32_precision)
        if o.requires_grad:
            o.register_hook(lambda g: seen.append(settings.fp32_precision))
        return o

    monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
    with _permitted():
        found = cases.everything(x, cases.by("sdpa"))
        short_attention(**x, impl="sdpa")
        assert settings.fp32_precision == "bf16"
    assert seen == ["ieee"] * 3
    for name, t in found.items():
        assert torch.equal(t, plain[name]), name


@pytest.mark.parametrize("P", [0, 3])
def test_pytorchs_attention_is_part_of_one_program(P):
    x = cases.inputs(1, 2, 70, P, 2, 8, torch.float32)
    program = torch.compile(short_attention, backend="eager", fullgraph=True)
    with _permitted():
        torch.testing.assert_close(program(**x, impl="sdpa"), short_attention(**x, impl="sdpa"))


def test_many_sequences_come_in_batches(monkeypatch):
    x = cases.inputs(2, 5, 7, 2, 2, 4, torch.float32)
    whole = cases.everything(x, cases.by("sdpa"))
    monkeypatch.setattr(library, "MOST_SEQUENCES", 3)
    sizes, sdpa = [], F.scaled_dot_product_attention
    monkeypatch.setattr(
        F,
        "scaled_dot_product_attention",
        lambda q, *r, **o: sizes.append(len(q)) or sdpa(q, *r, **o),
    )
    for name, t in cases.everything(x, cases.by("sdpa")).items():
        torch.testing.assert_close(t, whole[name], rtol=1e-6, atol=1e-6)
    assert sizes == [3, 3, 3, 1]


def _flash(q, k, v, causal, deterministic):
    """What flash-attn says of itself: [N, T, H, Dh], a causal mask that ends at the last key."""
    assert causal
    assert deterministic
    (T, Tk), heads_first = (q.shape[1], k.shape[1]), (t.transpose(1, 2) for t in (q, k, v))
    mask = torch.ones(T, Tk, dtype=torch.bool, device=q.device).tril(Tk - T)
    return F.scaled_dot_product_attention(*heads_first, attn_mask=mask).transpose(1, 2)


@pytest.mark.parametrize("P", [0, 3])
def test_flash_attention_is_called_as_it_wants(monkeypatch, P):
    library.flash_attention.cache_clear()
    monkeypatch.setitem(sys.modules, "flash_attn", SimpleNamespace(flash_attn_func=_flash))
    monkeypatch.setattr(library, "find_spec", lambda name: True)
    try:
        x = cases.inputs(2, 3, 9, P, 2, 8)
        found = library.flash(Inputs(**{n: x.get(n) for n in cases.NAMES}))
    finally:
        library.flash_attention.cache_clear()
    torch.testing.assert_close(found, cases.textbook(**x), rtol=1e-12, atol=1e-12)


def test_the_choice_has_a_name(monkeypatch):
    def chosen(device, dtype, context, width=16, impl="auto"):
        return implementation(impl, device, dtype, context=context, width=width)

    half, single = torch.bfloat16, torch.float32
    assert chosen("cpu", single, 64) == "eager"
    assert chosen("cpu", single, 65) == "sdpa"
    assert chosen("cpu", single, 2000, impl="reference") == "reference"
    monkeypatch.setattr(choice, "TRITON", True)
    monkeypatch.setattr(library, "flash_attention", lambda: None)
    assert chosen("cuda", half, 64, 128) == "triton"
    assert chosen("cuda", single, 32, 128) == "triton"
    assert chosen("cuda", single, 33, 33) == "sdpa"  # more registers than there are
    assert chosen("cuda", single, 64, 32) == "triton"
    assert chosen("cuda", half, 64, 129) == "sdpa"
    assert chosen("cuda", half, 65) == "sdpa"
    monkeypatch.setattr(library, "flash_attention", lambda: _flash)
    assert chosen("cuda", half, 64) == "triton"
    assert chosen("cuda", half, 65) == "flash"
    assert chosen("cuda", half, 65, 12) == chosen("cuda", single, 65) == "sdpa"
    assert chosen("cuda", half, 5, impl="flash") == "flash"
    with pytest.raises(ValueError, match=r"choose one of auto, reference, eager, sdpa, flash$"):
        chosen("cuda", half, 65, impl="triton")
    monkeypatch.setattr(choice, "TRITON", False)
    assert chosen("cuda", half, 64) == "flash"


def test_a_pack_learns_of_every_choice():
    short, long = (cases.inputs(1, 1, T, 0, 1, 4, torch.float32) for T in (5, 65))
    with recorded_choices() as found:
        short_attention(**short)
        assert found == {"short_attention": "eager"}
        for x in (long, short, long):
            short_attention(**x)
    assert found == {"short_attention": "eager + sdpa"}


BLOCKS = [(1, 7, 1), (0, 2, 70), (3, 5, 6)]


@pytest.mark.parametrize("impl", [*IMPLEMENTATIONS, "auto"])
@pytest.mark.parametrize("bias", [True, False])
def test_of_a_packed_projection(impl, bias):
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        cases.hold_packed(2, BLOCKS, 2, 8, dtype, impl, bias)


Q = torch.zeros(2, 3, 4, 1, 8)
WRONG = {
    r"q should be \[K,B,T,H,Dh\] and not empty, got \(2, 0, 4, 1, 8\)": {"q": Q[:, :0]},
    r"q should be of a float dtype, got torch.int64": {"q": Q.long()},
    r"k should be \(2, 3, 4, 1, 8\) and not empty, got \(2, 3, 3, 1, 8\)": {"k": Q[:, :, :3]},
    r"v should be torch.float32 on cpu, got torch.float64 on cpu": {"v": Q.double()},
    r"give prefix_k and prefix_v, or neither": {"prefix_k": Q[:, 0]},
    r"prefix_v should be \(2, 3, 1, 8\)": {"prefix_k": Q[:, :, 0], "prefix_v": Q[:, 0]},
    r"prefix_k should be \(2, 0, 1, 8\) and not empty": dict.fromkeys(
        ("prefix_k", "prefix_v"), Q[:, 0, :0]
    ),
    r"impl='triton' is not available here; choose one of auto, reference, eager, sdpa": {
        "impl": "triton"
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses_what_does_not_fit(message):
    with pytest.raises(ValueError, match=f"short_attention: {message}"):
        short_attention(**{"q": Q, "k": Q, "v": Q, **WRONG[message]})


QKV, BLOCK, BIAS = torch.zeros(2, 9, 3, 1, 8), [Block(1, 4, 2)], torch.zeros(2, 3, 1, 8)
WRONGLY_PACKED = {
    r"qkv should be \[K,R,3,H,Dh\] and not empty, got \(2, 9, 2, 1, 8\)": {"qkv": QKV[:, :, :2]},
    r"qkv should be of a float dtype, got torch.int64": {"qkv": QKV.long()},
    r"blocks should be of 9 rows, got 10": {"blocks": [Block(2, 4, 2)]},
    r"blocks should be of P >= 0, B >= 1 and T >= 1, got \[\(1, 4, 2\), \(0, 1, 0\)\]": {
        "blocks": [*BLOCK, Block(0, 1, 0)]
    },
    r"bias should be \(2, 3, 1, 8\), got \(1, 3, 1, 8\)": {"bias": BIAS[:1]},
    r"bias should be torch.float32 on cpu, got torch.bfloat16 on cpu": {"bias": BIAS.bfloat16()},
}


@pytest.mark.parametrize("message", WRONGLY_PACKED)
def test_refuses_a_projection_that_does_not_fit(message):
    with pytest.raises(ValueError, match=f"packed_attention: {message}"):
        packed_attention(**{"qkv": QKV, "blocks": BLOCK, "bias": BIAS, **WRONGLY_PACKED[message]})
    with pytest.raises(ValueError, match="impl='triton' is not available here"):
        packed_attention(QKV, BLOCK, impl="triton")
