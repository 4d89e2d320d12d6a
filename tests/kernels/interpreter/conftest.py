"""Checks that run kernels on the CPU, under TRITON_INTERPRET=1; started by test_interpreter.py."""

import pytest
import torch
import triton.language as tl
from triton.runtime import interpreter


def _poisoned(make):
    def fill(*args, **kwargs):
        t = make(*args, **kwargs)
        return t.fill_(torch.nan if t.is_floating_point() else -77)

    return fill


@pytest.fixture(autouse=True)
def _poison(monkeypatch):
    """Memory that nobody wrote reads as NaN."""
    monkeypatch.setattr(torch, "empty", _poisoned(torch.empty))
    monkeypatch.setattr(torch, "empty_like", _poisoned(torch.empty_like))
    monkeypatch.setattr(torch.Tensor, "new_empty", _poisoned(torch.Tensor.new_empty))


@pytest.fixture(autouse=True)
def _patch_the_language_once_per_launch(monkeypatch):
    """A device function need not do again what its kernel has done: three times as fast."""
    patch = getattr(interpreter, "_patch_lang", None)

    def patch_if_needed(fn):
        modules = [v for v in fn.__globals__.values() if v is tl or v is tl.core]
        return patch(fn) if any(tl.core.is_builtin(m.load) for m in modules) else None

    if patch is not None:
        monkeypatch.setattr(interpreter, "_patch_lang", patch_if_needed)
