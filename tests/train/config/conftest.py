"""A folder of its own for each test, so that messages name files as a user would."""

import pytest

from geomem.train.config import ConfigError, load_grid

BASE = """\
version: 1
defaults:
  graph: {kind: cycle, nodes: 15}
  model: {kind: transformer}
  optim: {lr: 1e-2}
  train: {steps: 5}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads a text as g.yaml in the current folder."""
    monkeypatch.chdir(tmp_path)

    def load_text(text, *sets):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "g.yaml").write_bytes(data)
        return load_grid("g.yaml", sets)

    return load_text


@pytest.fixture
def refusal(load):
    """Return a function that gives the message with which a text is refused."""

    def message(text, *sets):
        with pytest.raises(ConfigError) as caught:
            load(text, *sets)
        return str(caught.value)

    return message


@pytest.fixture
def base():
    """A small valid file; its values stand at the same places in every test."""
    return BASE
