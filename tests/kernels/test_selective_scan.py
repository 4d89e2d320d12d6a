"""The selective scan on the CPU: the reference as the specification, and the fast path by it."""

import math
import subprocess
import sys

import pytest
import torch
from torch.library import opcheck

from geomem.kernels import selective_scan
from geomem.kernels.selective_scan import eager
from tests.closeness import assert_close
from tests.kernels import scan_cases as cases

IMPLEMENTATIONS = ["reference", "eager"]


def _by_hand(x, lengths):
    """y and last state, one number at a time."""
    K, B, T, C = x["u"].shape
    y, last = torch.zeros(K, B, T, C).double(), torch.zeros(K, B, C, x["a"].shape[2]).double()
    for k in range(K):
        for i in range(B):
            for ch in range(C):
                h = [float(v) for v in x["initial_state"][k, i, ch]]
                for t in range(min(T, int(lengths[k, i]))):
                    raw = float(x["delta"][k, i, t, ch] + x["delta_bias"][k, ch])
                    dt, u = math.log1p(math.exp(raw)), float(x["u"][k, i, t, ch])
                    for s in range(len(h)):
                        h[s] *= math.exp(dt * float(x["a"][k, ch, s]))
                        h[s] += dt * u * float(x["b"][k, i, t, s])
                    read = sum(float(x["c"][k, i, t, s]) * h[s] for s in range(len(h)))
                    z = float(x["z"][k, i, t, ch])
                    y[k, i, t, ch] = (read + float(x["d"][k, ch]) * u) * z / (1 + math.exp(-z))
                last[k, i, ch] = torch.tensor(h, dtype=torch.float64)
    return y, last


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
def test_equals_the_recurrence_by_hand(impl):
    x, lengths = cases.inputs(2, 5, 4, 3, 6, start="own"), cases.some_lengths(2, 5, 4)
    y, last = _by_hand(x, lengths)
    found = selective_scan(**x, lengths=lengths, impl=impl)
    assert_close(found.y, y, 1e-14)
    assert_close(found.last_state, last, 1e-14)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize("start", [None, "shared", "own"])
def test_gradcheck_in_double(impl, start):
    x = cases.inputs(2, 2, 3, 2, 3, start=start)
    names, tensors = list(x), [t.requires_grad_() for t in x.values()]
    lengths = torch.tensor([[3, 1], [0, 3]])

    def run(*values):
        given = dict(zip(names, values, strict=True))
        return tuple(selective_scan(**given, lengths=lengths, impl=impl))

    assert torch.autograd.gradcheck(run, tensors)


# One step, two, ragged against tiles, more than a GPU's tile, and more than its short chunk.
@pytest.mark.parametrize("T", [1, 2, 7, 16, 65])
@pytest.mark.parametrize("start", [None, "shared", "own"])
def test_the_fast_path_is_as_good_as_the_reference(T, start):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        x = cases.inputs(2, 3, T, 8, 8, dtype, start)
        cases.hold(x, "eager")
        cases.hold(x, "eager", cases.some_lengths(2, 3, T))


@pytest.mark.parametrize("without", [("d",), ("z",), ("delta_bias",), ("d", "z", "delta_bias")])
def test_terms_may_be_left_out(without):
    x = cases.inputs(2, 3, 5, 4, 6, torch.float32, without=without)
    cases.hold(x, "eager")
    neutral = {
        "d": torch.zeros_like(x["a"][..., 0]),
        "delta_bias": torch.zeros_like(x["a"][..., 0]),
    }
    given = {n: neutral[n] for n in without if n in neutral}
    y = selective_scan(**x, **given, impl="reference").y
    assert torch.equal(y, selective_scan(**x, impl="reference").y)


def test_dt_may_come_without_softplus():
    x = cases.inputs(2, 3, 5, 4, 6, torch.float32)
    cases.hold({**x, "delta": x["delta"].abs()}, "eager", delta_softplus=False)


def test_tiles_change_nothing(monkeypatch):
    x, lengths = cases.inputs(3, 4, 5, 4, 6, start="shared"), cases.some_lengths(3, 4, 5)
    whole = cases.everything(x, "eager", lengths)
    for tile in (4 * 4 * 6, 2 * 4 * 6, 1):  # a member, some sequences, one sequence
        monkeypatch.setattr(eager, "TILE", tile)
        for name, t in cases.everything(x, "eager", lengths).items():
            assert_close(t, whole[name], 1e-14)


def test_small_steps_keep_their_digits():
    cases.small_steps_keep_their_digits("eager")


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
def test_how_every_implementation_behaves(impl):
    cases.padding_changes_nothing(impl)
    cases.parts_equal_the_whole(impl)
    cases.shared_start_sums_its_gradients(impl)
    cases.no_step_sees_what_comes_after_it(impl)
    cases.member_alone_equals_member_in_a_stack(impl)
    cases.repeats_to_the_bit(impl)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
def test_the_last_state_may_be_left_out(impl):
    x = cases.inputs(2, 3, 4, 5, 6, torch.float32, "own")
    with_state, without = (cases.everything(x, impl, last_state=w) for w in (True, False))
    assert without["last_state"].shape == (2, 0, 5, 6)
    assert torch.equal(without["y"], with_state["y"])
    cases.hold(x, impl, last_state=False)


def test_a_loss_of_the_last_state_alone_has_gradients():
    found = []
    for impl in IMPLEMENTATIONS:
        x = {n: t.requires_grad_() for n, t in cases.inputs(1, 2, 3, 4, 5).items()}
        state = selective_scan(**x, impl=impl).last_state
        wanted = [x[n] for n in ("u", "delta", "a", "b", "delta_bias")]
        found.append(torch.autograd.grad(state.square().sum(), wanted))
    for ours, expected in zip(found[1], found[0], strict=True):
        assert_close(ours, expected, 1e-13)


def test_second_derivatives_come_from_the_reference_alone():
    x = {n: t.requires_grad_() for n, t in cases.inputs(1, 1, 2, 2, 2).items()}
    y = selective_scan(**x, impl="eager").y
    with pytest.raises(RuntimeError, match='need impl="reference"'):
        torch.autograd.grad(y.sum(), x["u"], create_graph=True)


def _op_arguments(start="own", **kwargs):
    x = cases.inputs(1, 2, 3, 4, 5, torch.float32, start, **kwargs)
    tensors = [x.get(n) for n in ("u", "delta", "a", "b", "c", "d", "z", "delta_bias")]
    tensors = [
        None if t is None else t.requires_grad_() for t in (*tensors, x.get("initial_state"))
    ]
    return *tensors, cases.some_lengths(1, 2, 3), True, True, "eager"


def test_the_operator_is_registered_as_pytorch_wants_it():
    opcheck(torch.ops.geomem.selective_scan.default, _op_arguments())
    opcheck(torch.ops.geomem.selective_scan.default, _op_arguments(None, without=("d", "z")))


def test_compiles_without_breaks():
    x = {n: t.requires_grad_() for n, t in cases.inputs(2, 3, 4, 5, 6, start="shared").items()}
    run = torch.compile(selective_scan, backend="aot_eager", fullgraph=True)
    compiled, plain = run(**x), selective_scan(**x)
    for a, b in zip(compiled, plain, strict=True):
        assert torch.equal(a, b)
    wanted = list(x.values())
    for a, b in zip(
        torch.autograd.grad(compiled.y.sum(), wanted),
        torch.autograd.grad(plain.y.sum(), wanted),
        strict=True,
    ):
        assert torch.equal(a, b)


def test_nothing_loads_triton_before_it_is_needed():
    code = "import sys, geomem.kernels.selective_scan.op; print('triton' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


WRONG = {
    r"u should be \[K,B,T,C\] and not empty": {"u": torch.zeros(2, 3, 4)},
    r"a should be \(2, 5, 'S'\), got \(2, 4, 6\)": {"a": torch.zeros(2, 4, 6)},
    r"z should be \(2, 3, 4, 5\), got \(2, 3, 4, 1\)": {"z": torch.zeros(2, 3, 4, 1)},
    r"b should be \(2, 3, 4, 6\), got \(2, 3, 6, 4\)": {"b": torch.zeros(2, 3, 6, 4)},
    r"d should be \(2, 5\), got \(5,\)": {"d": torch.zeros(5)},
    r"initial_state should be \(2, 3, 5, 6\)": {"initial_state": torch.zeros(2, 2, 5, 6)},
    r"lengths should be int64 \(2, 3\), got torch.int32": {
        "lengths": torch.zeros(2, 3, dtype=torch.int32)
    },
    r"u should be float32, bfloat16 or float64": {"u": torch.zeros(2, 3, 4, 5).half()},
    r"delta should be torch.float32, got torch.float64": {
        "delta": torch.zeros(2, 3, 4, 5).double()
    },
    r"a should be torch.float32, got torch.bfloat16": {"a": torch.zeros(2, 5, 6).bfloat16()},
    r"c should be on cpu, got a tensor on meta": {"c": torch.zeros(2, 3, 4, 6, device="meta")},
    r"impl='triton' is not available here; choose one of auto, reference, eager": {
        "impl": "triton"
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses_what_does_not_fit(message):
    x = cases.inputs(2, 3, 4, 5, 6, torch.float32, "own")
    with pytest.raises(ValueError, match=f"selective_scan: {message}"):
        selective_scan(**{**x, **WRONG[message]})
