"""Dropout on the CPU."""

import shutil

import pytest
import torch

from geomem.kernels import dropout
from geomem.kernels.dropout.api import implementation
from tests.kernels import dropout_cases as cases
from tests.kernels import pass_cases


@pytest.mark.parametrize("site", cases.SITES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_bits_stay_what_they_were(dtype, site):
    given = cases.inputs(4, 5, 9, dtype=dtype, site=site)
    cases.hold(*given, "reference")
    wide = torch.promote_types(dtype, torch.float32)
    assert dropout(*given).dtype == wide


def test_how_it_behaves():
    cases.hold_numbers("reference")
    cases.member_alone_equals_member_in_a_stack("reference")
    cases.views_are_what_their_copies_are("reference")
    cases.as_many_as_the_rates_say("reference")


@pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler"
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_it_draws_the_same(dtype):
    given = cases.inputs(4, 5, 9, dtype=dtype)
    program = torch.compile(dropout, fullgraph=True)
    found = cases.everything(*given, "auto", program)
    for a, b in zip(found, cases.everything(*given, "auto"), strict=True):
        torch.testing.assert_close(a, b)
        assert torch.equal(a == 0, b == 0)


def test_the_choice_has_a_name(monkeypatch):
    pass_cases.the_choice_has_a_name(monkeypatch, implementation)


X, KEYS, RATES, SITE = cases.inputs(2, 3, 4)
WRONG = {
    r"x should be \[K,...\] and not empty, got \(2, 0, 4\)": (X[:, :0], KEYS, RATES, SITE),
    r"x should be \[K,...\] and not empty, got \(\)": (X[0, 0, 0], KEYS, RATES, SITE),
    r"x should be of a float dtype, got torch.int64": (X.long(), KEYS, RATES, SITE),
    r"keys should be \(2,\), got \(1,\)": (X, KEYS[:1], RATES, SITE),
    r"keys should be torch.int64 on cpu, got torch.int32 on cpu": (X, KEYS.int(), RATES, SITE),
    r"rates should be \(2,\), got \(1,\)": (X, KEYS, RATES[:1], SITE),
    r"rates should be torch.float32 on cpu, got torch.float64 on cpu": (
        *(X, KEYS, RATES.double(), SITE),
    ),
    r"site should be \(\), got \(1,\)": (X, KEYS, RATES, SITE[None]),
    r"site should be torch.int64 on cpu, got torch.int64 on meta": (
        X,
        KEYS,
        RATES,
        SITE.to("meta"),
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses_what_does_not_fit(message):
    with pytest.raises(ValueError, match=f"dropout: {message}"):
        dropout(*WRONG[message])


def test_refuses_an_implementation_that_cannot_run_here():
    with pytest.raises(ValueError, match="impl='triton' is not available here"):
        dropout(X, KEYS, RATES, SITE, impl="triton")
