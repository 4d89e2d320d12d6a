"""Wrong values of a run's fields: each message has its place, what is wrong, what to write."""

import pytest

# In the base file graph is on line 3, model on 4, optim on 5, train on 6; appended text starts
# on line 7. Each case replaces a text of the base file.
FIELDS = [
    ("nodes: 15", "node: 15", "3:24: graph.node: unknown key. Did you mean graph.nodes?"),
    ("nodes: 15", "nodes: 2", "3:31: graph.nodes: has to be at least 3, got 2"),
    ("nodes: 15", "nodes: 10000001",
     "3:31: graph.nodes: has to be at most 10000000, got 10000001"),
    ("nodes: 15", "nodes: 15, rows: 3",
     "3:35: graph.rows: a field of kind grid, and this graph is of kind cycle; leave it out, "
     "set it in overrides with `where: {graph.kind: grid}`, "
     "or give whole graph mappings as one axis"),
    ("kind: cycle, nodes: 15", "kind: grid, rows: 100000, columns: 100000",
     "3:11: graph: 10000000000 nodes are more than the limit of 10000000"),
    ("kind: transformer", "kind: transformer, width: 6",
     "4:37: model.width: width 6 cannot be divided by 4 heads; choose a multiple of 4"),
    ("kind: transformer", "kind: transformer, heads: 5",
     "4:37: model.width: width 64 cannot be divided by 5 heads; choose a multiple of 5"),
    ("kind: transformer", "kind: transformer, tie: off",
     "4:35: model.tie: expected true or false, got the text 'off'; write false"),
    ("kind: transformer", "kind: transformer, tie: True",
     "4:35: model.tie: expected true or false, got the text 'True'; write true"),
    ("kind: transformer", "kind: transformer, positions: learnt",
     "4:41: model.positions: expected learned, sinusoidal or none, got the text 'learnt'. "
     "Did you mean learned?"),
    ("kind: transformer", "kind: retnet, state: 8",
     "4:17: model.kind: unknown kind 'retnet'; "
     "choose transformer, feed_forward, mamba, node2vec or recall"),
    ("kind: transformer", "kind: transfromer",
     "4:17: model.kind: unknown kind 'transfromer'; "
     "choose transformer, feed_forward, mamba, node2vec or recall. "
     "Did you mean transformer?"),
    ("kind: transformer", "kind: [transformer]",
     "4:17: model.kind: expected the name of a kind, got a list; "
     "choose transformer, feed_forward, mamba, node2vec or recall"),
    ("kind: transformer", "width: 64",
     "4:11: model.kind: is missing; choose transformer, feed_forward, mamba, node2vec or recall"),
    ("kind: transformer", "kind: node2vec",
     "5:11: optim.weight_decay: node2vec climbs its objective with optim.lr alone and has no "
     "weight_decay; set it to 0"),
    ("kind: transformer}\n  optim: {lr: 1e-2", "kind: node2vec}\n  optim: {lr: 1e-2, "
     "weight_decay: 0, clip: 1",
     "5:44: optim.clip: node2vec climbs its objective with optim.lr alone and has no "
     "clip; leave it out"),
    ("kind: transformer}\n  optim: {lr: 1e-2}\n  train: {", "kind: node2vec}\n"
     "  optim: {lr: 1e-2, weight_decay: 0}\n  train: {edge_batch: 5, ",
     "6:23: train.edge_batch: node2vec takes all edges in each step; leave it out"),
    ("kind: transformer}\n  optim: {lr: 1e-2}\n  train: {", "kind: node2vec}\n"
     "  optim: {lr: 1e-2, weight_decay: 0}\n  train: {precision: bf16, ",
     "6:22: train.precision: node2vec is trained in full precision; leave it out"),
    ("lr: 1e-2", "lr: 1:30",
     "5:15: optim.lr: expected a number, got the text '1:30'; "
     "write a plain number such as 20 or 1e-3"),
    ("lr: 1e-2", "lr: '1e-2'",
     "5:15: optim.lr: expected a number, got the text '1e-2'; remove the quotes"),
    ("lr: 1e-2", "lr: true", "5:15: optim.lr: expected a number, got true"),
    ("lr: 1e-2", "lr: 0", "5:15: optim.lr: has to be greater than 0, got 0"),
    ("lr: 1e-2", "warmup_steps: 0",
     "5:11: optim.lr: is missing and has no default; give it a value"),
    ("lr: 1e-2", "lr: 1, betas: [0.9]", "5:25: optim.betas: value number 2 is missing"),
    ("lr: 1e-2", "lr: 1, betas: [0.9, x]",
     "5:31: optim.betas: expected a number, got the text 'x'; "
     "write a plain number such as 20 or 1e-3"),
    ("lr: 1e-2", "lr: 1, betas: [0.1, 0.1, 0.1]", "5:25: optim.betas: expected 2 values, got 3"),
    ("lr: 1e-2", "lr: 1, betas: 0.9", "5:25: optim.betas: expected a list, got 0.9"),
    ("steps: 5", "steps: [5, 6]",
     "6:18: train.steps: expected an integer, got a list; "
     "a list of values to try belongs under grid"),
    ("steps: 5", "steps: 1_000",
     "6:18: train.steps: expected an integer, got the text '1_000'; write 1000"),
    ("steps: 5", "steps: 0x10",
     "6:18: train.steps: expected an integer, got the text '0x10'; write 16"),
    ("steps: 5", "steps: 1e3", "6:18: train.steps: expected an integer, got 1000.0; write 1000"),
    ("steps: 5", "steps: 1.5", "6:18: train.steps: expected an integer, got 1.5"),
    ("steps: 5", "steps: null", "6:18: train.steps: expected an integer, got nothing"),
    ("steps: 5", "steps: {a: 5}", "6:18: train.steps: expected an integer, got a mapping"),
    ("steps: 5", "steps: 5, edge_batch: al",
     "6:33: train.edge_batch: expected all or an integer, got the text 'al'. Did you mean all?"),
    ("steps: 5", "steps: 5, edge_batch: 0", "6:33: train.edge_batch: has to be at least 1, got 0"),
    ("steps: 5", "steps: 5, stop_when: {metrik: x, reaches: 1}",
     "6:33: train.stop_when.metrik: unknown key. Did you mean train.stop_when.metric?"),
    ("steps: 5", "steps: 5, stop_when: {reaches: 1}",
     "6:32: train.stop_when.metric: is missing and has no default; give it a value"),
    ("steps: 5", "steps: 5, stop_when: 5", "6:32: train.stop_when: expected a mapping, got 5"),
    ("{steps: 5}", "", "6:3: train: expected a mapping of fields, got nothing"),
    ("{steps: 5}", "{steps: 5, edge_steps: 2}",
     "6:33: train.edge_steps: edge_steps belongs to recipe staged; leave it out"),
    ("steps: 5", "steps: 010",
     "6:18: steps: a number with leading zeros is ambiguous; write 10 or '010'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), FIELDS)
def test_fields(refusal, base, old, new, message):
    assert old in base
    assert refusal(base.replace(old, new)) == f"g.yaml:{message}"


def test_missing_sections(refusal):
    assert refusal("version: 1\ndefaults: {model.kind: transformer}\n").splitlines() == [
        "g.yaml: graph.kind: is missing; "
        "choose path_star, tree_star, grid, cycle, irregular, edge_list or text",
        "g.yaml: optim.lr: is missing and has no default; give it a value",
        "g.yaml: train.steps: is missing and has no default; give it a value",
    ]


def test_a_graph_too_small_to_split(refusal, base):
    text = base.replace("kind: cycle, nodes: 15", "kind: path_star, arms: 2, length: 3")
    assert refusal(text + "  task: {recipe: mixed, test_fraction: 0.1}\n") == (
        "g.yaml:7:40: task.test_fraction: 0.1 of 2 leaves keeps 0 for the test and 2 for the "
        "training, and both need one at least; take a larger graph or another fraction"
    )


def test_a_kind_that_leaves_inherited_fields_behind(refusal, base):
    text = base.replace("kind: transformer", "kind: transformer, heads: 2")
    assert refusal(text + "grid: {model.kind: [transformer, feed_forward]}\n") == (
        "g.yaml:4:30: model.heads: a field of kind transformer, and this model is of kind "
        "feed_forward; leave it out, set it in overrides with `where: {model.kind: transformer}`, "
        "or give whole model mappings as one axis"
    )
