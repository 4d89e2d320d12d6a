"""Stacks that train on an emulated GPU, as they would on one: graphs, kernels, waiting."""

import numpy as np
import pytest

from geomem.train.stack import train_stack
from geomem.train.stack.learner import GraphLearner, TokenLearner
from tests.emulated import machine, tensors

PATHS = {"recipe": "mixed", "pauses": 1}
BATCHES = {"edge_batch": 16, "path_batch": 4}
CASES = {
    "transformer": {"train": {"steps": 56}},
    "dropout": {
        "graph": {"arms": 40},
        "model": {"dropout": 0.1},
        "task": PATHS,
        "train": {**BATCHES, "steps": 48, "eval_every": 48},  # replayed several times
    },
    "two layers, bf16": {
        "graph": {"arms": 172},
        "model": {"layers": 2},
        "task": PATHS,
        "optim": {"lr": 1e-3},
        "train": {**BATCHES, "precision": "bf16"},
    },
    "wide heads": {"model": {"width": 132, "heads": 1}},  # attention that no kernel takes
    "no norm": {"model": {"norm": False, "positions": "sinusoidal"}},
    "staged": {"task": {"recipe": "staged"}, "train": {"edge_steps": 14}},
    "in context": {
        "graph": {"arms": 2, "length": 3},
        "task": {"kind": "in_context", "test_examples": 20},
        "train": {"path_batch": 8},
    },
    "mamba": {"model": {"kind": "mamba", "width": 16, "state": 4}, "task": PATHS},
    "many states": {"model": {"kind": "mamba", "width": 8, "state": 70}, "task": PATHS},
    "feed-forward": {"model": {"kind": "feed_forward"}},
    "recall": {
        "model": {"kind": "recall", "width": 8, "mlp_width": 16},
        "task": {"kind": "facts", "subjects": 8, "relations": 2},
    },
    "node2vec": {
        "model": {"kind": "node2vec", "width": 4},
        "optim": {"lr": 0.1, "weight_decay": 0.0},
    },
}


def _runs(make_run, sections):
    """Three members, of which one may have fewer steps, so that the others go on without it."""
    train = {"steps": 28, "eval_every": 28, "history_every": 28, **sections.get("train", {})}
    lengths = [train["steps"]] * 2 + [train["eval_every"]]
    return [
        make_run(seed, **{**sections, "train": {**train, "steps": steps}})
        for seed, steps in enumerate(lengths)
    ]


@pytest.mark.parametrize("case", CASES)
def test_a_gpu_gives_what_a_cpu_gives(make_run, gpu, monkeypatch, case):
    """Graphs of eight steps and single ones are recorded and replayed; nothing in them waits."""
    learner = GraphLearner if case == "node2vec" else TokenLearner
    before, advance = len(tensors.waits), learner.advance

    def watched(self, rates, in_stage):
        seen = len(tensors.waits)
        advance(self, rates, in_stage)
        assert tensors.waits[seen:] == []

    monkeypatch.setattr(learner, "advance", watched)
    runs = _runs(make_run, CASES[case])
    with gpu:
        found = train_stack(runs, device="cuda", keep_parameters=True)
    wanted = train_stack(runs, device="cpu", keep_parameters=True)
    assert len(tensors.waits) > before  # it does wait for measures
    assert found.tensors.keys() == wanted.tensors.keys()
    budget = 2e-2 if runs[0].train.precision == "bf16" else 2e-3
    for name in ("embedding", "metrics/loss", "history/embedding"):
        there, here = found.tensors[name], wanted.tensors[name]
        gap = np.linalg.norm(np.nan_to_num(there - here))
        assert gap <= budget * np.linalg.norm(np.nan_to_num(here)), name
    ran = found.metadata["implementations"]
    others = {"matrix_products", *({"short_attention"} if case == "wide heads" else ())}
    assert {"triton"} == {ran[op] for op in ran if op not in others} or case == "node2vec"


def test_a_large_vocabulary_takes_the_kernels_for_it(gpu):
    """After the others, of which one has 517 nodes."""
    names = {"exponentials", "over_tiles", "rescale", "finish", "counts", "members"}
    assert names <= machine.compiled.keys()
