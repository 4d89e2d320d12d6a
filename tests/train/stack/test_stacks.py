"""Stacking never changes the science: a run alone, in any stack, beside any neighbour."""

import numpy as np
import pytest
import torch

from geomem.train.stack import Interrupted, learner, train_stack
from geomem.train.stack.members import evaluation_steps

MODELS = {
    "transformer": {"layers": 2},
    "sinusoidal": {"positions": "sinusoidal"},
    "untied, frozen": {"tie": False, "freeze_embeddings": True},
    "bare": {"residual": False, "norm": False, "positions": "none", "weight_std": 0.3},
    "no attention": {"attention": False},
    "dropout": {"dropout": 0.3},
    "mamba": {"kind": "mamba", "layers": 2, "width": 16, "state": 4},
    "mamba, untied": {"kind": "mamba", "width": 16, "tie": False, "residual": False},
    "feed-forward": {"kind": "feed_forward", "width": 8, "layers": 2, "activation": "gelu"},
    "associative": {"kind": "feed_forward", "width": 8, "freeze_embeddings": True},
}
RECIPES = {
    "edges": {"recipe": "edges_only"},
    "mixed": {"recipe": "mixed"},
    "hardest": {"recipe": "mixed", "target": "hardest_token"},
    "reversed": {"recipe": "mixed", "reverse_paths": True},
    "teacherless": {"recipe": "mixed", "teacherless": True},
    "staged": {"recipe": "staged"},
    "in context": {"kind": "in_context"},
    "in context, teacherless": {"kind": "in_context", "teacherless": True, "delimiters": False},
}


def _varied(make_run, model, task, batch):
    """Five runs that differ in all that a stack lets its members vary."""
    train = {"eval_every": 1, "edge_batch": batch, "path_batch": batch}
    if "recipe" not in task:
        task = task | {"test_examples": 9}
        train["edge_batch"] = "all"
    elif task["recipe"] == "staged":
        train["edge_steps"] = 5
    optims = [
        {"lr": 1e-2},
        {"lr": 3e-3, "weight_decay": 0.5, "warmup_steps": 3},
        {"lr": 2e-2, "schedule": "constant", "betas": [0.8, 0.95]},
        {"lr": 1e-2, "clip": 0.05},
        {"lr": 5e-3, "final_lr_fraction": 0.0},
    ]
    steps = [12, 9, 12, 12, 10]
    stds = [0.02, 0.1, 0.02, 0.3, 0.02]
    return [
        make_run(
            seed,
            model=model | {"token_std": std},
            task=task,
            optim=optim,
            train=train | {"steps": n},
        )
        for seed, (optim, n, std) in enumerate(zip(optims, steps, stds, strict=True))
    ]


def _series(result, k, name):
    values = result.tensors[f"metrics/{name}"][k]
    return values[~np.isnan(values)]


def _assert_same(alone, together, k, rtol=1e-4):
    steps = min(len(_series(alone, 0, "loss")), len(_series(together, k, "loss")))
    assert steps >= 9
    np.testing.assert_allclose(
        _series(alone, 0, "loss"), _series(together, k, "loss"), rtol=rtol, atol=1e-7
    )
    for name in ("embedding", "special_embedding"):
        a, b = alone.tensors[name][0], together.tensors[name][k]
        assert np.linalg.norm(a - b) <= 1e-3 * np.linalg.norm(a), name


CASES = [
    (model, recipe)
    for model in MODELS
    for recipe in RECIPES
    if recipe == "edges" or MODELS[model].get("kind") != "feed_forward"  # it learns no paths
]


EACH = [
    (model, recipe)
    for model, recipe in CASES
    if model == "transformer" or recipe == ("mixed" if (model, "mixed") in CASES else "edges")
]


@pytest.mark.parametrize(("model", "recipe"), EACH)
def test_a_stack_in_pieces_is_the_same_stack(make_run, monkeypatch, uncompiled, model, recipe):
    """As it trains where it is compiled; here step by step, without the compiler."""
    runs = _varied(make_run, MODELS[model], RECIPES[recipe], batch=7)
    whole = train_stack(runs)
    monkeypatch.setattr(learner, "PIECE_BYTES", 1)
    monkeypatch.setattr(learner, "AT_ONCE", 2)
    divided = train_stack(runs, compile=True)
    for k in range(len(runs)):
        for name in divided.tensors:
            if name.startswith("metrics/"):
                a, b = (found.tensors[name][k] for found in (divided, whole))
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=name)
        gap = np.linalg.norm(divided.tensors["embedding"][k] - whole.tensors["embedding"][k])
        assert gap <= 1e-3 * np.linalg.norm(whole.tensors["embedding"][k])
    assert divided.metadata["members"] == whole.metadata["members"]


def test_pieces_are_of_one_size_where_that_is_near_the_best(monkeypatch):
    monkeypatch.setattr(learner, "PIECE_BYTES", 100)
    sizes = [
        [own.stop - own.start for own in learner.pieces(each, width)]
        for each, width in ((10, 30), (10, 28), (10, 13), (10, 4), (60, 3), (200, 2))
    ]
    assert sizes == [[10] * 3, [7] * 4, [10, 3], [4], [1] * 3, [1] * 2]


@pytest.mark.parametrize(("model", "recipe"), CASES)
def test_a_run_alone_equals_itself_in_a_stack(make_run, model, recipe):
    runs = _varied(make_run, MODELS[model], RECIPES[recipe], batch=7)
    together = train_stack(runs)
    for k in (1, 3):
        _assert_same(train_stack([runs[k]]), together, k)


@pytest.mark.parametrize("recipe", ["edges", "mixed", "staged"])
def test_full_batches_too(make_run, recipe):
    runs = _varied(make_run, MODELS["transformer"], RECIPES[recipe], batch="all")
    together = train_stack(runs)
    for k in (0, 4):
        _assert_same(train_stack([runs[k]]), together, k)


@pytest.mark.parametrize("recipe", ["mixed", "in context"])
def test_order_and_company_do_not_matter(make_run, recipe):
    runs = _varied(make_run, MODELS["transformer"], RECIPES[recipe], batch=7)
    first = train_stack(runs)
    order = [4, 2, 0]
    second = train_stack([runs[i] for i in order])
    for k, i in enumerate(order):
        for name in ("loss", "path_loss"):  # of the training, and of the test examples
            np.testing.assert_allclose(_series(first, i, name), _series(second, k, name), rtol=1e-4)
        if recipe == "mixed":
            assert (first.tensors["held_out"][i] == second.tensors["held_out"][k]).all()


def test_the_same_stack_repeats_bit_for_bit(make_run):
    runs = _varied(make_run, MODELS["dropout"], RECIPES["mixed"], batch=7)
    first, second = train_stack(runs), train_stack(runs)
    for name, tensor in first.tensors.items():
        np.testing.assert_array_equal(tensor, second.tensors[name])


def test_a_diverging_member_is_marked_and_its_neighbours_do_not_notice(make_run):
    fine = [make_run(s, train={"eval_every": 1}) for s in (0, 1)]
    wild = make_run(7, optim={"lr": 1e9}, train={"eval_every": 1})
    with_it, without = train_stack([fine[0], wild, fine[1]]), train_stack(fine)
    members = with_it.metadata["members"]
    assert [m["status"] for m in members] == ["done", "diverged", "done"]
    assert members[1]["diverged_step"] == members[1]["steps"] == 1
    assert np.isfinite(with_it.tensors["embedding"][1]).all()
    for k, i in ((0, 0), (2, 1)):
        np.testing.assert_array_equal(
            with_it.tensors["metrics/loss"][k], without.tensors["metrics/loss"][i]
        )
        np.testing.assert_array_equal(
            with_it.tensors["embedding"][k], without.tensors["embedding"][i]
        )


def test_a_gradient_that_is_no_number_counts_as_divergence(make_run, monkeypatch):
    """The loss may still be finite when the gradient is not."""
    from geomem.train.stack import gradients

    norm = gradients.member_norm

    def poisoned(rows):
        if len(rows[0]) == 3:  # before the diverged member is left behind
            rows[0][1, 3] = torch.nan
        return norm(rows)

    monkeypatch.setattr(gradients, "member_norm", poisoned)
    result = train_stack([make_run(s) for s in range(3)])
    assert [m["status"] for m in result.metadata["members"]] == ["done", "diverged", "done"]
    assert result.metadata["members"][1]["diverged_step"] == 0
    assert np.isfinite(result.tensors["embedding"]).all()


def test_all_members_diverged_ends_the_stack(make_run):
    result = train_stack([make_run(s, optim={"lr": 1e9}, train={"steps": 5000}) for s in range(2)])
    assert result.metadata["member_steps"] < 100
    assert all(m["status"] == "diverged" for m in result.metadata["members"])


def test_early_stop_ends_a_member_at_its_own_evaluation(make_run):
    rule = {"metric": "edge_recovery", "reaches": 0.5}
    slow = make_run(0, train={"steps": 100, "eval_every": 1})
    early = make_run(0, train={"steps": 100, "eval_every": 10, "stop_when": rule})
    result = train_stack([slow, early])
    member = result.metadata["members"][1]
    assert member["status"] == "done"
    assert member["stopped_step"] % 10 == 0
    assert member["stopped_step"] < 100
    at = result.tensors["metrics_step"].tolist().index(member["stopped_step"])
    recovery = result.tensors["metrics/edge_recovery"]
    assert recovery[1, at] >= 0.5
    assert np.isnan(recovery[1, at + 1 :]).all()
    alone = train_stack([early])
    np.testing.assert_allclose(
        alone.tensors["embedding"][0], result.tensors["embedding"][1], rtol=1e-4, atol=1e-6
    )


def _after(steps):
    asked = iter([False] * (steps - 1) + [True])
    return lambda: next(asked, False)


def test_training_continues_from_a_checkpoint_bit_for_bit(make_run, tmp_path):
    train = {"edge_steps": 5, "history_every": 3, "edge_batch": 7, "path_batch": 3}
    runs = [
        make_run(s, task={"recipe": "staged"}, model={"dropout": 0.2}, train=train)
        for s in range(3)
    ]
    whole = train_stack(runs)
    path = tmp_path / "stack.safetensors"
    for limit in (2, 3, 1, 4, 100):  # stops in both stages, at and between evaluations
        try:
            result = train_stack(runs, checkpoint=path, stop=_after(limit))
        except Interrupted:
            continue
    for name, tensor in whole.tensors.items():
        np.testing.assert_array_equal(tensor, result.tensors[name], err_msg=name)
    assert result.metadata["members"] == whole.metadata["members"]


def test_a_checkpoint_of_another_stack_is_left_alone(make_run, tmp_path):
    path = tmp_path / "stack.safetensors"
    with pytest.raises(Interrupted):
        train_stack([make_run(1)], checkpoint=path, stop=lambda: True)
    other = train_stack([make_run(2)], checkpoint=path)
    np.testing.assert_array_equal(
        other.tensors["embedding"], train_stack([make_run(2)]).tensors["embedding"]
    )
    path.write_bytes(path.read_bytes()[:200])
    train_stack([make_run(1)], checkpoint=path)


def test_what_a_pack_holds(make_run):
    run = make_run(0, task={"recipe": "mixed"}, train={"steps": 8, "history_every": 4})
    result = train_stack([run], keep_parameters=True)
    tensors, n = result.tensors, 19
    assert tensors["embedding"].shape == (1, n, 16)
    assert tensors["edges"].shape == (18, 2)
    assert tensors["arms"].shape == (6, 4)
    assert tensors["metrics_step"].tolist() == sorted(evaluation_steps(run))
    assert tensors["metrics/target_accuracy"].shape == (1, 2, 4)
    assert tensors["history_step"].tolist() == [0, 4, 8]
    assert tensors["history/embedding"].shape == (1, 3, n, 16)
    np.testing.assert_array_equal(tensors["history/embedding"][:, -1], tensors["embedding"])
    node_token = tensors["parameters/node_token"][0]
    np.testing.assert_array_equal(
        tensors["parameters/embedding"][0][node_token], tensors["embedding"][0]
    )
    assert set(result.metadata["shared"]) <= set(tensors)
    assert result.metadata["members"][0]["config"] == run.model_dump(mode="json")


def test_training_leaves_denormal_numbers_to_others(make_run):
    train_stack([make_run(0)])
    assert (torch.tensor([1e-40]) * 1.0).item() > 0


def test_a_pack_names_the_implementations_that_really_ran(make_run):
    def ran(model, task):
        run = make_run(0, model=model, task=task, train={"steps": 1})
        found = train_stack([run]).metadata["implementations"]
        assert found.pop("matrix_products") in {"onednn", "mkl"}
        return found

    loss = {"linear_cross_entropy": "eager", "adamw_step": "eager", "member_norm": "reference"}
    assert ran({"kind": "feed_forward"}, {}) == loss
    norm = loss | {"add_norm": "reference"}
    assert ran({"layers": 1}, {}) == norm | {"short_attention": "eager"}
    scan = {"selective_scan": "eager", "causal_conv1d": "eager"}
    assert ran({"kind": "mamba", "width": 8}, {}) == norm | scan
