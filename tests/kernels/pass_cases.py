"""What holds for every op that is one pass over what it is given."""

import torch

from geomem.kernels import choice


def the_choice_has_a_name(monkeypatch, implementation):
    assert implementation("auto", "cpu", torch.float32) == "reference"
    monkeypatch.setattr(choice, "TRITON", True)
    assert implementation("auto", "cuda", torch.bfloat16) == "triton"
    assert implementation("auto", "cuda", torch.float64) == "reference"
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert implementation("auto", "cuda", torch.float32) == "reference"
