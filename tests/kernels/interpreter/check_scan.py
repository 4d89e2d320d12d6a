"""The kernels of the selective scan against fp64 and in their behaviour, under the interpreter."""

import pytest
import torch
from torch.library import opcheck

from geomem.kernels import selective_scan
from geomem.kernels.selective_scan import configs
from geomem.kernels.selective_scan.problem import Inputs
from tests.closeness import assert_close
from tests.kernels import scan_cases as cases

# T: one step, two, ragged against a tile of 4, several tiles, the longest single chunk.
# C: below one block of channels, exactly one, ragged. S: padded, each size, the largest.
REGIMES = [
    (2, 3, 1, 20, 8, "shared"),
    (2, 3, 2, 32, 16, "own"),
    (1, 3, 7, 40, 16, None),
    (1, 2, 16, 9, 8, "shared"),
    (1, 1, 33, 9, 6, None),
    (1, 1, 64, 5, 8, "own"),
    (1, 2, 5, 9, 32, "shared"),
    (1, 2, 5, 7, 64, "own"),
    (1, 2, 3, 7, 130, "shared"),  # three scans
]


@pytest.mark.parametrize("shape", REGIMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_regime(shape, dtype):
    *sizes, start = shape
    cases.hold(cases.inputs(*sizes, dtype, start), "triton")


@pytest.mark.parametrize("shape", [(2, 5, 1, 9, 8, "own"), (1, 5, 9, 9, 8, "shared")])
def test_ragged_lengths(shape):
    K, B, T, *_ = shape
    x = cases.inputs(*shape[:5], torch.float32, shape[5])
    cases.hold(x, "triton", cases.some_lengths(K, B, T))


# Two chunks, the second of one step, sequences that end with the first and inside it; four chunks.
@pytest.mark.parametrize(("B", "T", "lengths"), [(2, 65, [64, 30]), (1, 200, None)])
def test_long_sequences_in_chunks(B, T, lengths):
    x = cases.inputs(1, B, T, 5, 8, torch.float32, "shared" if lengths else "own")
    cases.hold(x, "triton", None if lengths is None else torch.tensor([lengths]))


def test_chunks_change_nothing(monkeypatch):
    x, lengths = cases.inputs(1, 5, 9, 5, 6, start="own"), cases.some_lengths(1, 5, 9)
    whole = cases.everything(x, "triton", lengths)
    monkeypatch.setattr(configs, "SHORT", 4)
    for name, t in cases.everything(x, "triton", lengths).items():
        assert_close(t, whole[name], 1e-13)


@pytest.mark.parametrize("without", [("d",), ("z",), ("delta_bias",), ("d", "z", "delta_bias")])
def test_terms_may_be_left_out(without):
    cases.hold(cases.inputs(1, 2, 5, 9, 6, torch.float32, without=without), "triton")


def test_dt_may_come_without_softplus():
    x = cases.inputs(1, 1, 66, 5, 6, torch.float32)
    cases.hold({**x, "delta": x["delta"].abs()}, "triton", delta_softplus=False)


def test_the_last_state_may_be_left_out():
    cases.hold(cases.inputs(1, 2, 5, 9, 6, torch.float32, "own"), "triton", last_state=False)


@pytest.mark.parametrize("start", [None, "shared", "own"])
def test_gradcheck_in_double(start):
    x = cases.inputs(1, 2, 2, 2, 2, start=start)
    names, tensors = list(x), [t.requires_grad_() for t in x.values()]
    lengths = torch.tensor([[2, 1]])

    def run(*values):
        given = dict(zip(names, values, strict=True))
        return tuple(selective_scan(**given, lengths=lengths, impl="triton"))

    # In one random direction each: a thousand launches of an interpreter would take minutes.
    assert torch.autograd.gradcheck(run, tensors, fast_mode=True)


def test_how_it_behaves():
    cases.padding_changes_nothing("triton", T=5)
    cases.parts_equal_the_whole("triton", T=6)
    cases.shared_start_sums_its_gradients("triton")
    cases.no_step_sees_what_comes_after_it("triton")
    cases.member_alone_equals_member_in_a_stack("triton")
    cases.repeats_to_the_bit("triton", T=5, K=1, B=2)
    cases.small_steps_keep_their_digits("triton")


def test_behaviour_across_chunks(monkeypatch):
    monkeypatch.setattr(configs, "SHORT", 4)
    cases.padding_changes_nothing("triton", T=6)
    cases.parts_equal_the_whole("triton", T=9, cut=6)
    cases.no_step_sees_what_comes_after_it("triton")


@pytest.mark.parametrize(("programs", "groups"), [(1, 8), (4, 1), (64, 2)])
def test_any_division_of_the_work_gives_the_same(monkeypatch, programs, groups):
    """Several sequences, and several blocks of channels, for one program."""
    x = cases.inputs(2, 5, 3, 70, 8, torch.float32, "shared")
    monkeypatch.setattr(configs, "FORWARD_PROGRAMS", programs)
    monkeypatch.setattr(configs, "BACKWARD_PROGRAMS", programs)
    monkeypatch.setattr(configs, "GROUPS", groups)
    cases.hold(x, "triton")


def test_any_strides_will_do():
    """Steps outermost, members innermost but one, rows that begin at odd addresses."""
    x = cases.inputs(2, 3, 4, 9, 5, torch.float32, "own")
    expected = cases.everything(x, "triton")
    moved = {}
    for name, t in x.items():
        order = (2, 0, 1, 3) if name in cases.PER_STEP else tuple(range(t.dim()))
        wide = torch.full([t.shape[i] for i in order[:-1]] + [t.shape[-1] + 3], torch.nan)
        wide[..., 1 : 1 + t.shape[-1]] = t.permute(order)
        back = tuple(order.index(i) for i in range(t.dim()))
        moved[name] = wide[..., 1 : 1 + t.shape[-1]].permute(back)
    moved["d"] = moved["d"].T.contiguous().T
    for name, t in cases.everything(moved, "triton").items():
        assert torch.equal(t, expected[name]), name


def test_the_operator_is_registered_as_pytorch_wants_it(monkeypatch):
    monkeypatch.setattr(configs, "SHORT", 2)
    for start, T in (("shared", 2), ("own", 3)):
        x = {n: t.requires_grad_() for n, t in cases.inputs(1, 2, T, 4, 5, start=start).items()}
        inputs = Inputs(*(x.get(name) for name in Inputs._fields))
        lengths = cases.some_lengths(1, 2, T)
        opcheck(torch.ops.geomem.selective_scan.default, (*inputs, lengths, True, True, "triton"))


@pytest.mark.parametrize("without", [(), ("d", "z", "initial_state")])
def test_compiles_without_breaks(without):
    given = cases.inputs(1, 2, 3, 4, 5, start="own", without=without)
    x = {n: t.requires_grad_() for n, t in given.items()}

    def run(**given):
        return selective_scan(**given, impl="triton")

    compiled = torch.compile(run, backend="aot_eager", fullgraph=True)(**x)
    found = torch.autograd.grad(compiled.y.sum(), list(x.values()))
    plain = torch.autograd.grad(run(**x).y.sum(), list(x.values()))
    for a, b in zip(found, plain, strict=True):
        assert torch.equal(a, b)


def test_more_states_than_a_kernel_holds():
    x = cases.inputs(2, 3, 4, 5, 65, torch.float32, "own")
    cases.hold(x, "triton", cases.some_lengths(2, 3, 4))
    bare = cases.inputs(1, 2, 4, 5, 65, torch.float32, without=("d", "z", "delta_bias"))
    cases.hold(bare, "triton", last_state=False)
