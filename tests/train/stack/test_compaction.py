"""Members that are done stop costing time, and nothing else changes."""

import numpy as np
import pytest
import torch

from geomem.train.stack import Interrupted, train_stack, trainer
from geomem.train.stack.arena import ALIGN
from geomem.train.stack.build import build_model, build_task
from geomem.train.stack.gradients import Gradients
from geomem.train.stack.state import State

KINDS = {
    "transformer": {"layers": 1},
    "frozen": {"layers": 1, "freeze_embeddings": True, "dropout": 0.2},
    "mamba": {"kind": "mamba", "width": 8},
    "node2vec": {"kind": "node2vec", "width": 4},
}


def _runs(make_run, model):
    """Six runs of four lengths, one that stops early and one that diverges at once."""
    node2vec = model.get("kind") == "node2vec"
    optim = {"weight_decay": 0.0} if node2vec else {}
    task = {} if node2vec else {"recipe": "mixed"}
    batch = {} if node2vec else {"edge_batch": 7, "path_batch": 3}
    rule = {"metric": "edge_accuracy", "reaches": 1e-6}
    lengths = [(12, {}), (3, {}), (12, {}), (6, {}), (9, {}), (12, {"eval_every": 2})]
    runs = [
        make_run(
            seed,
            model=model,
            task=task,
            optim={"lr": 1e-2, **optim},
            train={"steps": n, "eval_every": 3, "history_every": 4, **batch, **extra},
        )
        for seed, (n, extra) in enumerate(lengths)
    ]
    if not node2vec:
        stops = {"steps": 12, "eval_every": 3, "history_every": 4, "stop_when": rule, **batch}
        runs.append(make_run(6, model=model, task=task, train=stops))
        limit = {"steps": 12, "history_every": 4, "divergence_loss": 1e-6, **batch}
        runs.append(make_run(7, model=model, task=task, train=limit))
    return runs


def _assert_alike(found, wanted):
    assert found.metadata["members"] == wanted.metadata["members"]
    assert found.tensors["metrics_step"].tolist() == wanted.tensors["metrics_step"].tolist()
    assert found.tensors.keys() == wanted.tensors.keys()
    for name, tensor in wanted.tensors.items():
        # By norm: the bias of the keys has no gradient, and AdamW makes steps of its rounding.
        there = found.tensors[name]
        np.testing.assert_array_equal(np.isnan(there), np.isnan(tensor), err_msg=name)
        gap = np.linalg.norm(np.nan_to_num(there - tensor))
        assert gap <= 1e-3 * np.linalg.norm(np.nan_to_num(tensor)), name


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_members_behind_changes_no_result(make_run, monkeypatch, kind):
    runs = _runs(make_run, KINDS[kind])
    widths = []
    compact = State.compact

    def seen(self):
        compact(self)
        widths.append(self.width)

    monkeypatch.setattr(State, "compact", seen)
    monkeypatch.setattr(trainer, "COMPACT_AT", 0.0)
    plain = train_stack(runs, keep_parameters=True)
    assert not widths
    monkeypatch.setattr(trainer, "COMPACT_AT", 0.99)
    _assert_alike(train_stack(runs, keep_parameters=True), plain)
    assert widths == sorted(widths, reverse=True)
    assert len(widths) >= 3
    assert widths[-1] == 3


def test_a_compacted_stack_continues_bit_for_bit(make_run, monkeypatch, tmp_path):
    monkeypatch.setattr(trainer, "COMPACT_AT", 0.99)
    runs, path = _runs(make_run, KINDS["frozen"]), tmp_path / "stack.safetensors"
    whole = train_stack(runs, keep_parameters=True)
    for _ in range(30):
        asked = iter([True])
        try:
            result = train_stack(
                runs,
                checkpoint=path,
                keep_parameters=True,
                stop=lambda asked=asked: next(asked, False),
            )
        except Interrupted:
            continue
        break
    assert result.metadata["members"] == whole.metadata["members"]
    for name, tensor in whole.tensors.items():
        np.testing.assert_array_equal(tensor, result.tensors[name], err_msg=name)


def test_a_compacted_stack_costs_no_more_than_its_active_members(make_run, monkeypatch):
    """Counted in rows of gradients, not in seconds."""
    rows = []
    find = Gradients.find

    def counted(self, *arguments):
        found = find(self, *arguments)
        rows.append(len(found.gradients[0]))
        return found

    monkeypatch.setattr(Gradients, "find", counted)
    train_stack([make_run(s, train={"steps": 4 + 4 * s}) for s in range(4)])
    assert rows == [4] * 4 + [3] * 4 + [2] * 4 + [1] * 4


def test_parameters_stand_where_kernels_can_read_them(make_run):
    run = make_run(0, graph={"kind": "cycle", "nodes": 15}, model={"width": 18})
    task = build_task([run, run], torch.device("cpu"))
    model = build_model(run, task)
    arena = State([run, run], model, torch.device("cpu")).arena
    for views in (arena.params, arena.first, arena.second):
        for name, view in views.items():
            assert view.shape[1:] == model.parameters()[name].shape
            assert view.storage_offset() % ALIGN == 0, name
            assert view.is_contiguous(), name
    used = sum(p.numel() for p in arena.params.values())
    flat = arena.state()["data"]
    assert flat.numel() > used  # these shapes leave gaps, and they are zero
    assert flat.count_nonzero() <= used


def test_node2vec_keeps_no_moments(make_run):
    run = make_run(0, model=KINDS["node2vec"], optim={"lr": 1e-2, "weight_decay": 0.0})
    task = build_task([run], torch.device("cpu"))
    arena = State([run], build_model(run, task), torch.device("cpu")).arena
    assert arena.state().keys() == {"data"}
