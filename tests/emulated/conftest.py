"""Checks on a GPU that is only emulated; started by test_emulated.py, as they need a library
before PyTorch is loaded."""

import pytest


@pytest.fixture(scope="session")
def gpu():
    """Enter it to work with tensors on the emulated GPU."""
    from tests.emulated import machine, tensors

    with pytest.MonkeyPatch.context() as patch:
        machine.install(patch)
        yield tensors.Emulation()
