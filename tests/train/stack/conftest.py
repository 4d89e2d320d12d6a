import pytest

from geomem.train.stack import learner


@pytest.fixture
def uncompiled(monkeypatch):
    """Steps called as compiled ones are, without the compiler; the programs made so far."""
    made = []

    def program(function, on_cpu):
        made.append(function)
        return function

    monkeypatch.setattr(learner, "Program", program)
    monkeypatch.setattr(learner, "Repeated", lambda program: program)
    return made
