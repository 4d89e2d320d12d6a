"""Facts in a stack: the same alone and in company, measured as written out, kept in packs."""

import numpy as np
import pytest
import torch

from geomem.models import draw, output_matrix
from geomem.train.stack import Interrupted, train_stack
from geomem.train.stack.batches import tensors_of, with_tensors
from geomem.train.stack.build import build_model, build_task, initial_settings
from geomem.train.stack.evaluation import CHUNK_ELEMENTS
from tests.train.stack.test_stacks import _after, _series

MODELS = {
    "recall": {"kind": "recall", "width": 8, "mlp_width": 16},
    "switched": {
        "kind": "recall", "width": 8, "mlp_width": 16, "tie": True, "attention_bias": True,
        "token_residual": False, "mlp_residual": True, "attention_start": "normal",
    },
    "frozen": {"kind": "recall", "width": 8, "freeze_subjects": True, "freeze_attributes": True},
    "transformer": {"kind": "transformer", "layers": 1, "width": 8, "heads": 2},
    "mamba": {"kind": "mamba", "layers": 1, "width": 8, "state": 4, "tie": False},
}  # fmt: skip
TASKS = {
    "one hop": {},
    "two hops": {"hops": 2},
    "chain of thought": {"hops": 2, "chain_of_thought": True, "test_fraction": 0.25},
}
STDS = {"recall": ("subject_std", "query_std"), "transformer": ("token_std", "position_std")}


def _fields(model="recall", task="one hop", **train):
    return {
        "task": {"kind": "facts", "subjects": 12, "relations": 3, **TASKS[task]},
        "model": MODELS[model],
        "train": {"steps": 12, "eval_every": 4, **train},
    }


def _varied(make_run, model, task, batch):
    """Four runs that differ in all that a stack lets its members vary."""
    fields = _fields(model, task, fact_batch=batch)
    optims = [
        {"lr": 1e-2},
        {"lr": 3e-3, "weight_decay": 0.5, "warmup_steps": 3},
        {"lr": 2e-2, "schedule": "constant", "betas": [0.8, 0.95]},
        {"lr": 1e-2, "clip": 0.05},
    ]
    names = STDS.get(MODELS[model]["kind"], ("token_std",))
    runs = []
    for seed, (optim, steps) in enumerate(zip(optims, [12, 9, 12, 10], strict=True)):
        own = dict.fromkeys(names, 0.1 * (1 + seed))
        train = fields["train"] | {"steps": steps, "eval_every": 1}
        sections = {**fields, "model": fields["model"] | own, "train": train}
        runs.append(make_run(seed, optim=optim, **sections))
    return runs


@pytest.mark.parametrize("batch", ["all", 7])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("model", MODELS)
def test_a_run_alone_equals_itself_in_a_stack(make_run, model, task, batch):
    runs = _varied(make_run, model, task, batch)
    together = train_stack(runs)
    for k in (1, 3):
        alone = train_stack([runs[k]])
        assert len(_series(alone, 0, "loss")) >= 9
        for name in ("loss", "fact_loss"):
            np.testing.assert_allclose(
                _series(alone, 0, name), _series(together, k, name), rtol=1e-4, atol=1e-6
            )
        np.testing.assert_array_equal(alone.tensors["answers"][0], together.tensors["answers"][k])
        for name in ("embedding", "relations", "attributes"):
            a, b = alone.tensors[name][0], together.tensors[name][k]
            assert np.linalg.norm(a - b) <= 1e-3 * np.linalg.norm(a), name


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("model", ["recall", "transformer"])
def test_measures_equal_those_of_every_query_written_out(make_run, monkeypatch, model, task):
    """With a table of answers that knows half of them, and in several chunks."""
    monkeypatch.setitem(CHUNK_ELEMENTS, "cpu", 2000)
    runs = [make_run(s, **_fields(model, task)) for s in (3, 4)]
    stack = build_task(runs, torch.device("cpu"))
    net = build_model(runs[0], stack)
    settings = initial_settings(runs)
    params = {n: draw(n, p, [3, 4], settings) for n, p in net.parameters().items()}
    found = stack.evaluate(net, params)
    config, facts = runs[0].task, stack.facts
    which = torch.arange(config.query_count).expand(2, -1)
    part = stack._part(which)
    hidden = net.hidden(params, [part.segment], None)
    hidden = hidden.unflatten(1, (-1, part.segment.wanted))
    scores = hidden @ output_matrix(params)[:, None].mT
    targets = part.targets.view(*which.shape, part.segment.wanted)
    right = (scores.argmax(3) == targets).double()
    loss = -scores.double().log_softmax(3).gather(3, targets[..., None])[..., 0].mean(2)
    rows = torch.arange(config.query_count)
    for k in range(2):
        train = rows if facts.train is None else facts.train[k]
        whole = right[k].amin(1)
        assert found["accuracy"][k].item() == pytest.approx(whole[train].mean().item())
        assert found["fact_loss"][k].item() == pytest.approx(loss[k, train].mean().item(), rel=1e-4)
        last = rows // (config.query_count // 3)
        own = [whole[train[last[train] == r]].mean().item() for r in range(3)]
        assert found["relation_accuracy"][k].tolist() == pytest.approx(own)
        if config.chain_of_thought:
            steps = right[k, train].mean(0).tolist()
            assert found["step_accuracy"][k].tolist() == pytest.approx(steps)
            out = whole[facts.held_out[k]].mean().item()
            assert found["held_out_accuracy"][k].item() == pytest.approx(out)


def test_sampled_batches_go_through_all_facts(make_run):
    runs = [make_run(s, **_fields(fact_batch=9)) for s in (0, 1)]
    stack = build_task(runs, torch.device("cpu"))
    parts = [stack.parts(step)[0] for step in range(4)]
    tokens = torch.cat([part.segment.tokens for part in parts], 1)
    targets = torch.cat([part.targets for part in parts], 1)
    for k in range(2):
        known = {
            (s, 12 + r, int(stack.facts.answers[k, r, s])) for s in range(12) for r in range(3)
        }
        seen = torch.cat([tokens[k], targets[k, :, None]], 1).tolist()
        assert {tuple(row) for row in seen} == known
    assert not torch.equal(tokens[0], tokens[1])


@pytest.mark.parametrize("task", TASKS)
def test_a_graph_of_steps_can_be_fed_these_batches(make_run, task):
    """Every tensor of a segment can be replaced, and what kind of segment it is stays."""
    (part,) = build_task([make_run(0, **_fields(task=task))], torch.device("cpu")).parts(0)
    tensors = [t.clone() for t in tensors_of([[part]])]
    ((again,),) = with_tensors([[part]], tensors)
    assert type(again.segment) is type(part.segment)
    assert again.segment.wanted == part.segment.wanted
    pairs = zip(tensors_of([[again]]), tensors, strict=True)
    assert all(one is other for one, other in pairs)


def test_attributes_are_tokens_of_their_own_where_they_are_no_subjects(make_run):
    one = build_task([make_run(0, **_fields("transformer"))], torch.device("cpu"))
    two = build_task([make_run(0, **_fields("transformer", "two hops"))], torch.device("cpu"))
    assert (one.vocab, two.vocab) == (12 + 3 + 12, 12 + 3)
    assert one.parts(0)[0].targets.min() == 15
    assert two.parts(0)[0].targets.max() == 11


def test_training_continues_from_a_checkpoint_bit_for_bit(make_run, tmp_path):
    fields = _fields(task="chain of thought", fact_batch=7, history_every=3)
    runs = [make_run(s, **fields) for s in range(3)]
    whole, path = train_stack(runs), tmp_path / "stack.safetensors"
    for limit in (2, 3, 100):
        try:
            result = train_stack(runs, checkpoint=path, stop=_after(limit))
        except Interrupted:
            continue
    for name, tensor in whole.tensors.items():
        np.testing.assert_array_equal(tensor, result.tensors[name], err_msg=name)


def test_what_a_pack_holds(make_run):
    tensors = train_stack([make_run(0, **_fields(history_every=6))]).tensors
    shapes = {name: tensor.shape[1:] for name, tensor in tensors.items()}
    assert shapes["embedding"] == shapes["attributes"] == (12, 8)
    assert shapes["relations"] == (3, 8)
    assert shapes["answers"] == (3, 12)
    assert shapes["parameters/up.weight"] == (8, 16)
    assert shapes["metrics/relation_accuracy"] == (3, 3)
    assert shapes["history/embedding"] == (3, 12, 8)
    history = tensors["history/embedding"][0]
    np.testing.assert_array_equal(history[-1], tensors["embedding"][0])
    assert not np.array_equal(history[0], history[1])
    assert "parameters/embedding" not in shapes
    assert "edges" not in shapes
    tied = train_stack([make_run(0, **_fields("switched"))]).tensors
    np.testing.assert_array_equal(tied["embedding"], tied["attributes"])
    other = train_stack([make_run(0, **_fields("mamba"))]).tensors
    assert not any(name.startswith("parameters/") for name in other)
    assert other["attributes"].shape == (1, 12, 8)


def test_frozen_tables_stay_and_the_others_move(make_run):
    run = make_run(0, **_fields("frozen", history_every=12))
    result = train_stack([run])
    history = result.tensors["history/embedding"][0]
    np.testing.assert_array_equal(history[0], history[1])
    drawn = draw(
        "unembedding",
        build_model(run, build_task([run], torch.device("cpu"))).parameters()["unembedding"],
        [0],
        initial_settings([run]),
    )
    np.testing.assert_array_equal(result.tensors["attributes"], drawn.numpy())


def test_bf16_rounds_products_alone(make_run):
    """The same course within the rounding of bfloat16, and not to the last digit."""
    full, half = (
        train_stack([make_run(0, **_fields(precision=precision))]) for precision in ("fp32", "bf16")
    )
    losses = [_series(result, 0, "loss") for result in (full, half)]
    np.testing.assert_allclose(*losses, rtol=0.02)
    assert (losses[0] != losses[1]).all()
    assert half.tensors["embedding"].dtype == np.float32


def test_early_stop_watches_the_accuracy(make_run):
    rule = {"metric": "accuracy", "reaches": 0.9}
    fields = _fields(steps=500, eval_every=20, stop_when=rule)
    result = train_stack([make_run(0, optim={"lr": 2e-2}, **fields)])
    (member,) = result.metadata["members"]
    assert member["stopped_step"] < 500
    assert _series(result, 0, "accuracy")[-1] >= 0.9
