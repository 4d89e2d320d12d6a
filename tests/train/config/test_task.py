"""Fields that a task does not go with: what is wrong, and what to write."""

import pytest

# In a file whose task is on line 3, its graph on 4, and its training on 7.
IN_CONTEXT = [
    ("path_star, arms: 2, length: 5", "cycle, nodes: 5",
     "4:17: graph.kind: in_context draws path-stars and takes their size from the graph, and this "
     "graph is of kind cycle; use path_star with arms and length"),
    ("labels: 9", "labels: 8",
     "3:36: task.labels: 8 labels cannot name the 9 nodes of a prompt; take 9 or more"),
    ("arms: 2, length: 5", "arms: 20000, length: 3",
     "4:34: graph.arms: a prompt of 40000 edges is longer than the limit of 65536 tokens; "
     "take fewer arms"),
    ("path_batch: 5", "eval_every: 5",
     "7:11: train.path_batch: in_context draws fresh examples for every step and has no `all`; "
     "say how many, for example 128"),
    ("path_batch: 5", "path_batch: 5, edge_batch: 5",
     "7:48: train.edge_batch: in_context has its edges in the prompts alone; leave it out"),
    ("path_batch: 5", "path_batch: 5, edge_steps: 2",
     "7:48: train.edge_steps: edge_steps belongs to recipe staged; leave it out"),
    ("path_batch: 5", "path_batch: 5, stop_when: {metric: edge_recovery, reaches: 1}",
     "7:56: train.stop_when.metric: this task is not measured by edge_recovery; "
     "watch one of exact_match, first_hop"),
    ("kind: transformer", "kind: feed_forward",
     "5:17: model.kind: a feed_forward model sees one token at a time and cannot learn paths; "
     "use another model"),
    ("kind: transformer", "kind: node2vec",
     "5:17: model.kind: node2vec trains on edges alone; use another model"),
    ("labels: 9", "recipe: mixed",
     "3:28: task.recipe: a field of kind in_weights, and this task is of kind in_context; "
     "leave it out, set it in overrides with `where: {task.kind: in_weights}`, "
     "or give whole task mappings as one axis"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), IN_CONTEXT)
def test_in_context(load, refusal, old, new, message):
    text = (
        "version: 1\ndefaults:\n  task: {kind: in_context, labels: 9}\n"
        "  graph: {kind: path_star, arms: 2, length: 5}\n  model: {kind: transformer}\n"
        "  optim: {lr: 1e-2}\n  train: {steps: 5, path_batch: 5}\n"
    )
    load(text)
    assert old in text
    text = text if old == "labels: 9" else text.replace(", labels: 9", "")
    assert refusal(text.replace(old, new)) == f"g.yaml:{message}"
