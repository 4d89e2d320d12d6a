"""What training must show: a generic selector, and facts as superpositions, on held-out data."""

import numpy as np
import pytest

from geomem.analysis.facts.network import TENSORS, facts_of
from geomem.analysis.facts.summary import structure_of
from geomem.train.config import RunConfig
from geomem.train.stack import train_stack

SEEDS = range(3)
OPTIM = {
    "lr": 1e-3, "weight_decay": 0.1, "betas": [0.9, 0.99], "warmup_steps": 50,
    "final_lr_fraction": 0.05,
}  # fmt: skip


def _trained(width, subjects, steps, task=None, model=None, **optim):
    runs = [
        RunConfig.model_validate(
            {
                "task": {"kind": "facts", "subjects": subjects, "relations": 2, **(task or {})},
                "model": {"kind": "recall", "width": width, "mlp_width": 128, **(model or {})},
                "optim": OPTIM | optim,
                "train": {"steps": steps, "eval_every": steps},
                "seed": seed,
            }
        )
        for seed in SEEDS
    ]
    return train_stack(runs)


def _structure(result):
    tensors = {
        n: t for n, t in result.tensors.items() if n in TENSORS or n.startswith("parameters/")
    }
    rows = [
        structure_of(facts_of({n: t[k] for n, t in tensors.items()}, m["config"], m["seed"]))
        for k, m in enumerate(result.metadata["members"])
    ]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def found():
    """512 subjects, 2 relations, width 64: about seven seconds."""
    result = _trained(64, 512, 600)
    assert result.tensors["metrics/accuracy"][:, -1].min() > 0.99
    return _structure(result)


def test_new_facts_are_answered_without_training(found):
    assert found["zero_shot"].min() >= 0.97
    assert found["zero_shot_ridge"].min() >= 0.85
    for name in ("zero_shot_old", "zero_shot_wrong", "zero_shot_ridge_wrong"):
        assert found[name].max() <= 0.05, name
    assert found["zero_shot_untrained"].max() <= 0.4


def test_subjects_are_superpositions(found):
    assert found["superposition_r2"].min() >= 0.55
    assert found["superposition_r2_permuted"].max() <= 0.01
    assert found["ridge_r2"].min() >= 0.65
    assert found["ridge_r2_permuted"].max() < 0


def test_probes_read_facts_off_subjects_that_they_never_saw(found):
    assert found["jacobian_probe"].min() >= 0.99
    assert found["probe"].min() >= 0.8
    assert found["probe_permuted"].max() <= 0.02
    assert found["probe_seen_permuted"].min() >= 0.3  # read off random bijections, where fitted


def test_exchange_moves_one_relation_alone(found):
    assert found["exchange_target"].min() >= 0.80
    assert found["exchange_others"].min() >= 0.95


def test_neurons_select_relations(found):
    assert found["gates_fixed"].min() >= 0.6
    assert found["gates_select"].min() >= 0.2


def test_narrow_models_memorise_without_a_selector():
    """The two regimes: all facts are recalled in both, and only wide models transfer."""
    result = _trained(8, 256, 500, lr=1e-2, weight_decay=0.0)
    assert result.tensors["metrics/accuracy"][:, -1].min() >= 0.99
    found = _structure(result)
    assert found["zero_shot"].max() <= 0.35
    assert found["exchange_target"].max() <= 0.35


def test_a_chain_of_thought_needs_less_width_than_a_direct_answer():
    model = {"tie": True, "subject_std": 1.0, "token_residual": False, "attention_bias": True}
    task = {"relations": 4, "hops": 2}
    hops = {"lr": 1e-2, "weight_decay": 0.0, "task": task, "model": model}
    thought = task | {"chain_of_thought": True}
    chain = _trained(10, 32, 500, **hops | {"task": thought})
    direct = _trained(6, 32, 500, **hops)
    assert chain.tensors["metrics/accuracy"][:, -1].min() >= 0.99
    assert direct.tensors["metrics/accuracy"][:, -1].max() <= 0.85
