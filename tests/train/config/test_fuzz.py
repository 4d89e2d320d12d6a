"""Whatever the text, the loader answers with runs or with ConfigError."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomem.train.config import ConfigError, load_grid
from geomem.train.config.catalog import PATHS, SECTIONS
from geomem.train.config.execution import Execution
from geomem.train.config.grid_file import KEYS

KINDS = [kind for info in SECTIONS.values() for kind in info.kinds if kind]
WORDS = [*KINDS, *SECTIONS, "all", "auto", "0-3", "0-3,8", "mixed", "seed", "off", "where", "set"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([0.5, 1e-3, 1e300, 2**70]),
    st.sampled_from(WORDS),
    st.text(max_size=3),
)
NAMES = [*KEYS, *PATHS, *WORDS, *Execution.model_fields]
NAMES += [path.rpartition(".")[2] for path in PATHS]
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)
DEFAULTS = {"graph": {"kind": "cycle", "nodes": 5}, "model.kind": "transformer", "optim.lr": 1}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "g.yaml"


def check(path, text, *sets):
    path.write_bytes(text.encode(errors="surrogatepass"))
    problems = []
    try:
        assert load_grid(path, sets).runs
    except ConfigError as error:
        problems = error.problems
    assert all(mark is not None for mark, _ in problems)


@settings(max_examples=150, deadline=None)
@given(text=st.text() | st.text(alphabet="a:-[]{},'\"#&*!|>%@\n\t 01.e?", max_size=40))
def test_any_text(path, text):
    check(path, text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(entries=st.dictionaries(st.sampled_from(KEYS), VALUES), whole=st.booleans())
def test_any_value_under_any_key(path, entries, whole):
    entries = {"version": 1, "defaults": {**DEFAULTS, "train.steps": 5}, **entries}
    text = json.dumps(entries, ensure_ascii=False) if whole else json.dumps(entries)
    check(path, text)


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(NAMES), value=st.text(max_size=8) | VALUES.map(json.dumps))
def test_any_assignment(path, key, value):
    text = json.dumps({"version": 1, "defaults": {**DEFAULTS, "train.steps": 5}})
    check(path, text, f"{key}={value}")
