"""Fixtures of the sweep tests."""

import pytest

from tests.train.sweep.helpers import Sweeper, control


@pytest.fixture
def sweeper(tmp_path):
    """A grid of 8 runs in two stacks, and a directory that does not exist yet."""
    return Sweeper(tmp_path)


@pytest.fixture
def fake(monkeypatch):
    """Return a function that tells the fake workers how to fail."""
    return lambda **fields: monkeypatch.setenv("FAKE_CONTROL", control(**fields))
