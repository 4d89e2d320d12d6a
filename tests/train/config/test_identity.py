"""What makes two runs the same, and what does not."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomem.train.config import run_id

FIELDS = {
    "graph": {"kind": "path_star", "arms": 8, "length": 4},
    "task": {"kind": "in_weights", "recipe": "staged", "pauses": 2},
    "model": {"kind": "transformer", "width": 32, "tie": False},
    "optim": {"lr": 1e-3, "betas": [0.9, 0.95]},
    "train": {"steps": 9, "edge_steps": 3, "stop_when": {"metric": "first_hop", "reaches": 0.5}},
}
# Another valid value for each field of each kind of section.
OTHERS = {
    "graph": [
        {"kind": "path_star", "arms": 9, "length": 5},
        {"kind": "tree_star", "arms": 3, "branching": 3, "length": 5},
    ],
    "task": [
        {
            "kind": "in_weights", "recipe": "mixed", "target": "hardest_token", "edges": "forward",
            "self_edges": True, "reverse_paths": True, "teacherless": True, "pauses": 3,
            "start_node": True, "task_token": False, "test_fraction": 0.5, "split": "first_token",
        }
    ],
    "model": [
        {
            "kind": "transformer", "layers": 3, "width": 16, "heads": 2, "mlp_ratio": 2,
            "positions": "none", "token_std": 1.0, "position_std": 1.0, "weight_std": 1.0,
            "tie": True, "freeze_embeddings": True, "attention": False, "residual": False,
            "norm": False, "dropout": 0.5,
        }
    ],
    "optim": [
        {
            "lr": 2e-3, "weight_decay": 1.0, "betas": [0.5, 0.95], "eps": 1e-3, "warmup_steps": 1,
            "schedule": "constant", "final_lr_fraction": 0.5, "clip": 1.0, "edge_lr": 0.5,
            "edge_warmup_steps": 2,
        }
    ],
    "train": [
        {
            "steps": 10, "edge_steps": 4, "edge_batch": 5, "path_batch": 5, "eval_every": 2,
            "history_every": 2, "stop_when": None, "divergence_loss": 5.0,
        }
    ],
}  # fmt: skip


def write(fields):
    return json.dumps({"version": 1, "defaults": fields})


def one_id(load, fields):
    (run,) = load(write(fields)).runs
    return run_id(run)


CHANGES = [
    (section, other, name)
    for section, kinds in OTHERS.items()
    for other in kinds
    for name in other
    if name != "kind"
]


@pytest.mark.parametrize(("section", "other", "name"), CHANGES)
def test_every_field_counts(load, section, other, name):
    before = FIELDS[section]
    if other.get("kind") != before.get("kind"):
        before = {"kind": other["kind"], "arms": 4, "length": 4}
    after = {**before, name: other[name]}
    fields = {**FIELDS, section: before}
    if name == "recipe":  # the stages belong to the staged recipe
        without = {k: v for k, v in FIELDS["train"].items() if k != "edge_steps"}
        assert one_id(load, {**fields, section: after, "train": without}) != one_id(load, fields)
    else:
        assert one_id(load, {**fields, section: after}) != one_id(load, fields)


SMALL = {
    "node2vec": {
        "graph": {"kind": "cycle", "nodes": 5},
        "model": {"kind": "node2vec", "width": 4},
        "optim": {"lr": 0.01, "weight_decay": 0},
        "train": {"steps": 5},
    },
    "in_context": {
        "graph": {"kind": "path_star", "arms": 2, "length": 3},
        "task": {"kind": "in_context"},
        "model": {"kind": "transformer"},
        "optim": {"lr": 0.01},
        "train": {"steps": 5, "path_batch": 4},
    },
    "facts": {
        "task": {"kind": "facts", "subjects": 6, "relations": 2},
        "model": {"kind": "recall"},
        "optim": {"lr": 0.01},
        "train": {"steps": 5},
    },
    "two_hops": {
        "task": {"kind": "facts", "subjects": 6, "relations": 2, "hops": 2},
        "model": {"kind": "recall"},
        "optim": {"lr": 0.01},
        "train": {"steps": 5},
    },
}
# Another value for each field of sections that do not go with FIELDS.
OTHER_KINDS = {
    ("node2vec", "model"): {"width": 5, "tie": False, "token_std": 0.5, "dtype": "float32"},
    ("in_context", "task"): {
        "labels": 6, "target": "hardest_token", "reverse_paths": True, "teacherless": True,
        "delimiters": False, "pauses": 1, "test_examples": 7,
    },
    ("facts", "task"): {"subjects": 7, "relations": 3, "attributes": "disjoint", "hops": 2},
    ("two_hops", "task"): {"chain_of_thought": True, "test_fraction": 0.5},
    ("facts", "model"): {
        "width": 5, "mlp_width": 5, "subject_std": 0.5, "relation_std": 0.5, "attribute_std": 0.5,
        "position_std": 0.5, "query_std": 0.5, "attention_start": "normal", "attention_bias": True,
        "token_residual": False, "mlp_residual": True, "tie": True, "freeze_subjects": True,
        "freeze_relations": True, "freeze_attributes": True,
    },
    ("facts", "train"): {
        "steps": 6, "fact_batch": 5, "eval_every": 2, "history_every": 2, "divergence_loss": 5.0,
        "stop_when": {"metric": "accuracy", "reaches": 0.5},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("run", "section", "name"), [(*key, name) for key, o in OTHER_KINDS.items() for name in o]
)
def test_every_field_of_other_kinds_counts(load, run, section, name):
    fields = SMALL[run]
    changed = {**fields, section: {**fields[section], name: OTHER_KINDS[run, section][name]}}
    assert one_id(load, changed) != one_id(load, fields)


def test_every_field_is_tried_above(load):
    tried: dict[type, set[str]] = {}
    cases = [(FIELDS, name, kinds[0]) for name, kinds in OTHERS.items() if name != "graph"]
    cases += [(SMALL[name], section, others) for (name, section), others in OTHER_KINDS.items()]
    for fields, section, others in cases:
        (run,) = load(write(fields)).runs
        tried.setdefault(type(getattr(run, section)), set()).update(others)
    for model, names in tried.items():
        assert names - {"kind"} == set(model.model_fields) - {"kind", "precision"}, model


def test_the_seed_counts(load):
    first, second = load(write(FIELDS), "seeds=0-1").runs
    assert run_id(first) != run_id(second)


def test_defaults_written_out_change_nothing(load):
    (run,) = load(write(FIELDS)).runs
    full = run.model_dump(mode="json", exclude={"seed"})
    assert one_id(load, full) == run_id(run)


@st.composite
def notations(draw):
    """The same fields, nested or dotted, in any order."""
    found = []
    for section, fields in FIELDS.items():
        dotted = {n for n in fields if n != "kind" and draw(st.booleans())}
        nested = [(n, v) for n, v in fields.items() if n not in dotted]
        if "kind" in fields and draw(st.booleans()):
            dotted |= set(fields)
            nested = []
        if nested:
            found.append((section, dict(draw(st.permutations(nested)))))
        for name in dotted:
            value = fields[name]
            if isinstance(value, dict) and draw(st.booleans()):
                found += [(f"{section}.{name}.{n}", v) for n, v in value.items()]
            else:
                found.append((f"{section}.{name}", value))
    return dict(draw(st.permutations(found)))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fields=notations())
def test_notation_and_order_change_nothing(load, fields):
    assert one_id(load, fields) == one_id(load, FIELDS)


def test_the_form_of_a_number_changes_nothing(load):
    one = write(FIELDS).replace("0.001", "1e-3")
    other = write(FIELDS).replace("0.001", "0.0010")
    assert load(one).runs == load(other).runs
    zero = {**FIELDS, "model": {**FIELDS["model"], "token_std": 0}}
    minus = write(zero).replace('"token_std": 0', '"token_std": -0.0')
    assert run_id(load(minus).runs[0]) == one_id(load, zero)


def test_identity_stays_what_it_was(load):
    """A new id makes every finished run look like another one: change this on purpose only."""
    assert (
        one_id(load, FIELDS) == "8552d458b3e73dc2717481ce75543c0e943e244f4f581e44dcf716f7236ada54"
    )
