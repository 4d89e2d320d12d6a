"""How much memory there is: of the machine, or of the container in it."""

import pytest

from geomem.train.sweep import slots
from geomem.train.sweep.slots import cpu_memory


@pytest.fixture
def limit(tmp_path, monkeypatch):
    """Return a function that says what the file of the container's limit holds."""
    path = tmp_path / "memory.max"
    monkeypatch.setattr(slots, "_CONTAINER_LIMITS", (path, tmp_path / "missing"))
    monkeypatch.setattr(slots.os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.get)
    return path.write_text


def test_a_container_has_what_it_is_given(limit):
    assert cpu_memory() == 4_096_000
    limit("1000000\n")
    assert cpu_memory() == 1_000_000


@pytest.mark.parametrize("text", ["max\n", "9223372036854771712\n", ""])
def test_no_limit_is_none(limit, text):
    limit(text)
    assert cpu_memory() == 4_096_000
