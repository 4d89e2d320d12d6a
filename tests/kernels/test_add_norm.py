"""The residual addition and the norm after it on the CPU."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from geomem.kernels import add_norm, choice
from geomem.kernels.add_norm.api import implementation
from tests.kernels import add_norm_cases as cases
from tests.kernels import pass_cases


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("y", [None, torch.float32])
def test_equals_pytorchs_norm_of_the_sum(y, centred):
    x = cases.inputs(3, 5, 8, torch.float32, y, centred)
    found = cases.run(x)
    for k in range(3):
        total = x["x"][k] if y is None else x["x"][k] + (x["y"][k] + x["y_bias"][k])
        own = (8,), x["weight"][k]
        normal = (
            F.layer_norm(total, *own, x["bias"][k]) if centred else F.rms_norm(total, *own, 1e-5)
        )
        assert torch.equal(found.total[k], total)
        torch.testing.assert_close(found.normal[k], normal, rtol=2e-6, atol=2e-6)


def test_how_it_behaves():
    cases.member_alone_equals_member_in_a_stack("reference")
    cases.strides_do_not_matter("reference")
    cases.repeats_to_the_bit("reference")


def test_the_choice_has_a_name(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(choice, "TRITON", True)
        assert implementation("auto", "cuda", torch.float32, 4097) == "reference"
    pass_cases.the_choice_has_a_name(monkeypatch, partial(implementation, width=64))


X, W, HALF = torch.zeros(2, 3, 4), torch.ones(2, 4), torch.bfloat16
WRONG = {
    r"x should be \[K,R,D\] and not empty, got \(2, 0, 4\)": (X[:, :0], None, W, W),
    r"x should be of a float dtype, got torch.int64": (X.long(), None, W, W),
    r"y should be \(2, 3, 4\), got \(2, 1, 4\)": (X, X[:, :1], W, W),
    r"y should be of a dtype that torch.bfloat16 holds, got torch.float32": (X.to(HALF), X, W, W),
    r"weight should be \(2, 4\), got \(1, 4\)": (X, None, W[:1], W),
    r"bias should be torch.float32, got torch.float64": (X, None, W, W.double()),
    r"give y_bias with y only": (X, None, W, W, W),
    r"y_bias should be \(2, 4\), got \(1, 4\)": (X, X, W, W, W[:1]),
    r"weight should be on cpu, got a tensor on meta": (X, None, W.to("meta"), W),
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses_what_does_not_fit(message):
    with pytest.raises(ValueError, match=f"add_norm: {message}"):
        cases.run(dict(enumerate([*WRONG[message], None][:5])))
    with pytest.raises(ValueError, match="impl='triton' is not available here"):
        add_norm(X, X, W, W, impl="triton")
