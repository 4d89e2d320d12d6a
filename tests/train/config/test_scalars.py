"""Plain scalars mean what they look like."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomem.train.config.errors import Mark
from geomem.train.config.scalars import resolve
from geomem.train.config.yaml_file import parse_value, plain


def read(text):
    return plain(parse_value(text, Mark("--set x=…")))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("1E5", 1e5), ("+5", 5), ("-0", 0), ("1.", 1.0),
        (".5", 0.5), ("-.5e1", -5.0), ("0", 0), ("0.10", 0.1),
        ("", None), ("~", None), ("null", None), ("true", True),
        ("false", False), ("True", "True"), ("Null", "Null"), ("yes", "yes"), ("off", "off"),
        ("1:30", "1:30"), ("0x10", "0x10"), ("0b1", "0b1"), ("1_000", "1_000"), ("0-31", "0-31"),
        ("2024-01-31", "2024-01-31"), ("nan", "nan"), ("inf", "inf"), (".", "."), ("-", "-"),
        ("1e", "1e"), ("=", "="), ("<<", "<<"), ("1 000", "1 000"), ("1,5", "1,5"),
    ],
)  # fmt: skip
def test_resolves(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("010", "a number with leading zeros is ambiguous; write 10 or '010'"),
        ("-007", "a number with leading zeros is ambiguous; write -7 or '-007'"),
        ("00", "a number with leading zeros is ambiguous; write 0 or '00'"),
        ("01.50", "a number with leading zeros is ambiguous; write 1.50 or '01.50'"),
        (".nan", ".nan is not a number that can be used; only finite ones are"),
        ("-.Inf", "-.Inf is not a number that can be used; only finite ones are"),
        ("1e999", "1e999 is too large for a number"),
        ("-1e999", "-1e999 is too large for a number"),
        ("1e-999", "1e-999 is too small for a number; write 0 or a larger one"),
        ("9" * 101, "a number of 101 characters; the limit is 100"),
    ],
)
def test_refuses(text, reason):
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        resolve(text)


def test_zero_has_one_form():
    assert str(resolve("-0.0")) == "0.0"
    assert str(resolve("0e5")) == "0.0"


@settings(deadline=None)
@given(st.integers(-(10**30), 10**30))
def test_integers_round_trip(value):
    assert resolve(str(value)) == value


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_round_trip(value):
    assert resolve(repr(value)) == value


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_quoted_text_round_trips(value):
    assert read(json.dumps(value, ensure_ascii=False)) == value


LEAVES = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | st.text("aé ", max_size=3)
)
TREES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text("ab", max_size=3), v)
)


@settings(deadline=None)
@given(TREES)
def test_flow_collections_round_trip(value):
    assert read(json.dumps(value, ensure_ascii=False)) == value
