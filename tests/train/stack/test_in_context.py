"""The in-context task in a stack: what is measured, what is kept, and that it goes on after stops.

That a run alone equals itself in a stack stands with the other tasks, in test_stacks.
"""

import contextlib
from itertools import count

import numpy as np
import pytest
import torch

from geomem.train.stack import Interrupted, train_stack
from geomem.train.stack.build import build_task
from geomem.train.stack.trainer import Trainer
from geomem.train.tasks.in_context import Source
from tests.train.stack import plain

CPU = torch.device("cpu")


@pytest.fixture
def make_prompts(make_run):
    """Return a function that builds a small in-context run; `task` are options of its own."""

    def build(seed=0, arms=2, length=4, model=None, **task):
        train = {"path_batch": task.pop("batch", 8), "steps": task.pop("steps", 9), "eval_every": 3}
        return make_run(
            seed,
            graph={"arms": arms, "length": length},
            task={"kind": "in_context", "test_examples": 20, **task},
            model=model or {},
            train=train | ({"history_every": 3} if length == 4 else {}),
        )

    return build


def _decode(member, config, words, length):
    """Greedy continuation of a prompt, one token after the other."""
    for _ in range(length):
        logits = plain.logits_of(member, torch.tensor([words]), config)
        words = [*words, int(logits[0, -1].argmax())]
    return words[-length:]


@pytest.mark.parametrize("task", [{}, {"reverse_paths": True}, {"target": "hardest_token"}])
def test_accuracies_equal_greedy_decoding(make_prompts, task):
    """On the very examples of the test stream, after some training on few labels."""
    model = {"width": 32, "token_std": 0.2, "weight_std": 0.1}
    run = make_prompts(arms=2, length=3, labels=5, batch=32, steps=90, model=model, **task)
    trainer = Trainer([run], CPU)
    trainer.train(lambda: None)
    params = {name: p.detach() for name, p in trainer.state.arena.params.items()}
    found = trainer.task.evaluate(trainer.model, params)
    member = {name: p[0].double() for name, p in params.items()}
    examples = Source([run.seed], "test", run.graph, run.task, CPU).draw(0, 20)
    L, right = examples.targets.shape[2], []
    for words, wanted in zip(
        examples.tokens[0].tolist(), examples.targets[0].tolist(), strict=True
    ):
        prompt = words[: len(words) - L + 1]
        right.append(_decode(member, run.model, prompt, L) == wanted)
    assert found["exact_match"][0] == pytest.approx(np.mean(right))
    assert 0 < np.mean(right) < 1, "a model that is always right, or never, would show nothing"
    labels = torch.full_like(examples.tokens[0], plain.PAD)
    labels[:, -L:] = examples.targets[0]
    loss = plain.loss_of(member, examples.tokens[0], labels, run.model)
    assert found["path_loss"][0] == pytest.approx(loss.item(), rel=1e-4)
    logits = plain.logits_of(member, examples.tokens[0], run.model)[:, -L:]
    shares = logits.argmax(2).eq(examples.targets[0]).float().mean(0)
    torch.testing.assert_close(found["target_accuracy"][0], shares)
    hop = {"reverse_paths": 1, "target": 0}.get(next(iter(task), ""), 1)
    assert found["first_hop"][0] == found["target_accuracy"][0, hop]


def test_the_number_of_examples_at_a_time_changes_nothing(make_prompts):
    runs = [make_prompts(s) for s in range(2)]
    small = [run.model_copy(update={"train": run.train.model_copy(update={"path_batch": 3})})
             for run in runs]  # fmt: skip
    trainer = Trainer(runs, CPU)
    params = trainer.state.arena.params
    whole = trainer.task.evaluate(trainer.model, params)
    parts = build_task(small, CPU).evaluate(trainer.model, params)
    for name, value in whole.items():
        torch.testing.assert_close(value, parts[name], rtol=1e-5, atol=1e-6)


def test_no_step_repeats_examples(make_prompts):
    task = build_task([make_prompts(labels=40)], CPU)
    paths = [tuple(p) for s in range(20) for p in task.parts(s)[0].targets.view(-1, 4).tolist()]
    assert len(set(paths)) == len(paths) == 20 * 8


def _after(steps):
    asked = count(1)
    return lambda: next(asked) == steps


def test_training_continues_bit_for_bit(make_prompts, tmp_path):
    runs = [make_prompts(s, model={"dropout": 0.2}) for s in range(2)]
    whole, path = train_stack(runs), tmp_path / "stack.safetensors"
    for limit in (1, 5, 100):
        with contextlib.suppress(Interrupted):
            result = train_stack(runs, checkpoint=path, stop=_after(limit))
    for name, tensor in whole.tensors.items():
        np.testing.assert_array_equal(tensor, result.tensors[name], err_msg=name)


def test_what_a_pack_holds(make_prompts):
    run = make_prompts(labels=25, model={"tie": False})
    result = train_stack([run], keep_parameters=True)
    tensors = result.tensors
    assert tensors["embedding"].shape == tensors["unembedding"].shape == (1, 25, 16)
    assert tensors["special_embedding"].shape == (1, 9, 16)
    assert tensors["metrics/target_accuracy"].shape == (1, 3, 4)
    assert tensors["history/embedding"].shape == (1, 4, 25, 16)
    np.testing.assert_array_equal(tensors["history/embedding"][:, -1], tensors["embedding"])
    node_token = tensors["parameters/node_token"][0]
    np.testing.assert_array_equal(
        tensors["parameters/embedding"][0][node_token], tensors["embedding"][0]
    )
    assert result.metadata["shared"] == ["history_step", "metrics_step"]
    assert not {"edges", "arms", "held_out"} & set(tensors)


@pytest.mark.parametrize("arms", [2, 10, 20])
@pytest.mark.parametrize("model", [{"width": 8}, {"kind": "mamba", "width": 8, "state": 2}])
def test_the_sizes_of_the_paper_train(make_prompts, arms, model):
    runs = [
        make_prompts(s, arms=arms, length=5, model=model, teacherless=True, steps=2)
        for s in range(2)
    ]
    found = train_stack(runs).tensors
    assert np.isfinite(found["metrics/loss"]).all()
    assert found["metrics/target_accuracy"].shape == (2, 1, 5)
