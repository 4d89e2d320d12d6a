"""Stacks of graphs of different sizes trained as one: each leaves what it leaves by itself."""

import numpy as np
import pytest
import torch

from geomem.train.stack import Interrupted, learner, train_stack, train_stacks
from geomem.train.stack.build import build_task
from geomem.train.stack.evaluation import CHUNK_ELEMENTS, evaluate
from geomem.train.stack.gradients import Gradients
from geomem.train.stack.trainer import Trainer

ARMS = [{"kind": "path_star", "arms": arms, "length": 4} for arms in (5, 9)]
TREE = {"kind": "tree_star", "arms": 3, "branching": 2, "length": 4}
TINY = [{"kind": "cycle", "nodes": 9}, {"kind": "grid", "rows": 3, "columns": 4}, ARMS[0]]
MODELS = {
    "transformer": {"layers": 2},
    "untied, frozen": {"tie": False, "freeze_embeddings": True, "positions": "sinusoidal"},
    "mamba": {"kind": "mamba", "layers": 2, "width": 16, "state": 4},
    "feed-forward": {"kind": "feed_forward", "width": 8, "tie": False},
}
RECIPES = {
    "edges": {"recipe": "edges_only"},
    "mixed": {"recipe": "mixed"},
    "hardest": {"recipe": "mixed", "target": "hardest_token", "self_edges": True},
    "reversed": {"recipe": "mixed", "reverse_paths": True, "edges": "forward"},
    "teacherless": {"recipe": "mixed", "teacherless": True, "split": "first_token"},
    "staged": {"recipe": "staged"},
}
CASES = [
    (model, recipe, batch)
    for model in MODELS
    for recipe in RECIPES
    for batch in ("all", 7)
    if recipe == "edges" or MODELS[model].get("kind") != "feed_forward"  # it learns no paths
]


def _stacks(make_run, graphs, train=None, **sections):
    """Two runs per graph, one of them with a clip that bites."""
    train = {"steps": 10, "eval_every": 2} | (train or {})
    optims = {"lr": 1e-2}, {"lr": 3e-3, "clip": 0.05, "weight_decay": 0.3}
    return [
        [
            make_run(seed, graph=graph, optim=optim, train=train, **sections)
            for seed, optim in enumerate(optims)
        ]
        for graph in graphs
    ]


def _assert_alike(found, wanted):
    for name in ("members", "shared", "member_steps"):
        assert found.metadata[name] == wanted.metadata[name]
    assert found.tensors.keys() == wanted.tensors.keys()
    for name, tensor in wanted.tensors.items():
        there = found.tensors[name]
        assert there.shape == tensor.shape, name
        if tensor.dtype.kind != "f":
            np.testing.assert_array_equal(there, tensor, err_msg=name)
            continue
        np.testing.assert_array_equal(np.isnan(there), np.isnan(tensor), err_msg=name)
        # By norm: the bias of the keys has no gradient, and AdamW makes steps of its rounding.
        gap = np.linalg.norm(np.nan_to_num(there - tensor))
        assert gap <= 1e-3 * max(np.linalg.norm(np.nan_to_num(tensor)), 1e-6), name


@pytest.mark.parametrize(("model", "recipe", "batch"), CASES)
def test_a_stack_by_itself_equals_itself_beside_others(make_run, model, recipe, batch):
    train = {"edge_batch": batch, "path_batch": batch}
    if recipe == "staged":
        train["edge_steps"] = 4
    graphs = TINY if recipe == "edges" else [*ARMS, TREE]
    stacks = _stacks(make_run, graphs, train, model=MODELS[model], task=RECIPES[recipe])
    for stack, found in zip(stacks, train_stacks(stacks), strict=True):
        _assert_alike(found, train_stack(stack))


@pytest.mark.parametrize("batch", [{"edge_batch": 7}, {"path_batch": 3}])
def test_one_kind_of_examples_sampled(make_run, batch):
    stacks = _stacks(make_run, ARMS, batch, task={"recipe": "mixed"})
    for stack, found in zip(stacks, train_stacks(stacks), strict=True):
        _assert_alike(found, train_stack(stack))


def test_parameters_and_history_have_their_own_size(make_run):
    stacks = _stacks(make_run, ARMS[::-1], {"history_every": 3}, task={"recipe": "mixed"})
    together = train_stacks(stacks, keep_parameters=True)
    for stack, found in zip(stacks, together, strict=True):
        _assert_alike(found, train_stack(stack, keep_parameters=True))
    rows = [found.tensors["parameters/embedding"].shape[1] for found in together]
    assert rows[0] - rows[1] == 3 * (9 - 5)
    walls = [found.metadata["wall_seconds"] for found in together]
    assert walls[0] == walls[1]


@pytest.mark.parametrize("recipe", ["mixed", "hardest"])
def test_stacks_beside_others_and_in_pieces_are_the_same(make_run, monkeypatch, uncompiled, recipe):
    """As they train where they are compiled; pieces go across the borders of stacks."""
    stacks = _stacks(make_run, [*ARMS, TREE], {"edge_batch": 7}, task=RECIPES[recipe])
    plain = train_stacks(stacks)
    monkeypatch.setattr(learner, "pieces", lambda *_: [slice(0, 1), slice(1, 4), slice(4, 6)])
    for found, wanted in zip(train_stacks(stacks, compile=True), plain, strict=True):
        _assert_alike(found, wanted)


def _trainer(stacks):
    runs = [run for stack in stacks for run in stack]
    trainer = Trainer(runs, torch.device("cpu"))
    trainer._assemble()
    return trainer


def _found(trainer):
    """Return the gradients of the first step by their names, and what else was found."""
    task, state = trainer.task, trainer.state
    task.enter(trainer.stages[0])
    names = list(state.arena.trained())
    known = task.known_tokens(task.vocab)
    gradients = Gradients(trainer.runs, trainer.model, names, trainer.settings, known)
    found = gradients.find(state.arena.params, task.parts(0), torch.tensor(0))
    return dict(zip(names, found.gradients, strict=True)), found


@pytest.mark.parametrize("tie", [True, False])
def test_rows_past_a_vocabulary_have_no_gradient(make_run, tie):
    stacks = _stacks(make_run, [ARMS[0], ARMS[1]], task={"recipe": "mixed"}, model={"tie": tie})
    trainer = _trainer(stacks)
    own = build_task(stacks[0], torch.device("cpu")).vocab
    assert own < trainer.task.vocab
    alone, found_alone = _found(_trainer(stacks[:1]))
    gradients, found = _found(trainer)
    for name in ("embedding",) if tie else ("embedding", "unembedding"):
        table = gradients[name]
        assert (table[:2, own:] == 0).all()
        assert (table[2:, own:] != 0).any()
        torch.testing.assert_close(table[:2, :own], alone[name], rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.norm[:2], found_alone.norm)


def test_chunks_of_an_evaluation_change_nothing(make_run, monkeypatch):
    stacks = _stacks(make_run, [*ARMS, TREE], task={"recipe": "mixed"})
    trainer = _trainer(stacks)
    params, tables = trainer.state.arena.params, trainer.task.tables
    whole = evaluate(trainer.model, params, tables)
    monkeypatch.setitem(CHUNK_ELEMENTS, "cpu", 6 * 16 * 5)
    for name, value in evaluate(trainer.model, params, tables).items():
        torch.testing.assert_close(whole[name], value, rtol=1e-5, atol=1e-7)


def test_when_the_largest_graph_is_done_first(make_run, monkeypatch):
    """What is left then is narrower than the parameters."""
    task, widths = {"recipe": "mixed"}, []
    small, large = _stacks(make_run, ARMS, {"history_every": 5}, task=task)
    short = _stacks(make_run, ARMS[1:], {"history_every": 5, "steps": 4}, task=task)[0]
    assemble = Trainer._assemble

    def watched(trainer):
        assemble(trainer)
        widths.append(trainer.state.width)

    monkeypatch.setattr(Trainer, "_assemble", watched)
    together = train_stacks([small, short])
    assert widths == [4, 2]
    for stack, found in zip([small, short], together, strict=True):
        _assert_alike(found, train_stack(stack))
    assert large[0].train.steps == 10


def test_a_member_that_diverges_is_marked_in_its_own_pack(make_run):
    small, large = _stacks(make_run, ARMS)
    small[1] = make_run(7, graph=ARMS[0], optim={"lr": 1e9}, train={"steps": 10, "eval_every": 2})
    first, second = train_stacks([small, large])
    assert [m["status"] for m in first.metadata["members"]] == ["done", "diverged"]
    _assert_alike(first, train_stack(small))
    _assert_alike(second, train_stack(large))


def test_training_continues_from_a_checkpoint_bit_for_bit(make_run, tmp_path):
    train = {"edge_batch": 7, "path_batch": 3, "history_every": 3}
    stacks = _stacks(make_run, ARMS, train, task={"recipe": "mixed"})
    path = tmp_path / "stack.safetensors"
    steps = iter([False] * 4 + [True])
    with pytest.raises(Interrupted):
        train_stacks(stacks, checkpoint=path, stop=lambda: next(steps))
    resumed, whole = train_stacks(stacks, checkpoint=path), train_stacks(stacks)
    for found, wanted in zip(resumed, whole, strict=True):
        for name, tensor in wanted.tensors.items():
            np.testing.assert_array_equal(found.tensors[name], tensor, err_msg=name)
