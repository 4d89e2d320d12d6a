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
    ("optim: {lr: 1e-2", "optim: {lr: 1e-2, edge_lr: 1",
     "6:30: optim.edge_lr: edge_lr belongs to recipe staged; leave it out"),
    ("optim: {lr: 1e-2", "optim: {lr: 1e-2, edge_warmup_steps: 1",
     "6:40: optim.edge_warmup_steps: edge_warmup_steps belongs to recipe staged; leave it out"),
    ("labels: 9", "target: hardest_token, reverse_paths: true",
     "3:66: task.reverse_paths: the hardest token is the only target, which reverse_paths does "
     "not change; leave it out, or use target full_path"),
    ("labels: 9", "target: hardest_token, teacherless: true",
     "3:64: task.teacherless: the hardest token is the only target, which teacherless does "
     "not change; leave it out, or use target full_path"),
    ("path_batch: 5", "path_batch: 5, stop_when: {metric: edge_recovery, reaches: 1}",
     "7:56: train.stop_when.metric: this task is not measured by edge_recovery; "
     "watch one of exact_match, first_hop"),
    ("kind: transformer", "kind: feed_forward",
     "5:17: model.kind: a feed_forward model sees one token at a time and can learn edges alone; "
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


# In a file whose task is on line 3, its model on 4, and its training on 6.
FACTS = [
    ("hops: 2", "hops: 2}\n  graph: {kind: cycle, nodes: 5",
     "4:17: graph.kind: a task of kind facts has no graph; leave it out"),
    ("steps: 5", "steps: 5, edge_batch: 5",
     "6:33: train.edge_batch: a task of kind facts has fact_batch alone; leave it out"),
    ("steps: 5", "steps: 5, path_batch: 5",
     "6:33: train.path_batch: a task of kind facts has fact_batch alone; leave it out"),
    ("hops: 2", "hops: 2, attributes: disjoint",
     "3:71: task.attributes: the attributes of several hops are subjects; leave them shared"),
    ("hops: 2", "chain_of_thought: true",
     "3:68: task.chain_of_thought: one hop has no chain of thought; leave it out"),
    ("hops: 2", "test_fraction: 0.5",
     "3:65: task.test_fraction: a fact that is never seen cannot be known; leave it out"),
    ("hops: 2", "hops: 2, test_fraction: 0.001",
     "3:74: task.test_fraction: 0.001 of 81 queries leaves the test or the training with none; "
     "take another fraction"),
    ("hops: 2", "hops: 16",
     "3:33: task.subjects: 387420489 queries are more than the limit of 100000000; "
     "take fewer subjects, relations or hops"),
    ("kind: recall", "kind: feed_forward",
     "4:17: model.kind: a feed_forward model sees one token at a time and can learn edges alone; "
     "use another model"),
    ("kind: recall", "kind: recall, tie: true, freeze_attributes: true",
     "4:55: model.freeze_attributes: with tie the attributes have no table of their own; "
     "use freeze_subjects"),
    ("hops: 2}\n  model: {kind: recall", "attributes: disjoint}\n  model: {kind: recall, tie: true",
     "4:30: model.tie: with tie attributes are subjects, and disjoint ones are not"),
    ("kind: facts, subjects: 9, relations: 3, hops: 2}", "kind: in_weights}\n"
     "  graph: {kind: cycle, nodes: 5}",
     "5:17: model.kind: recall learns facts alone; use another model, or task.kind facts"),
    ("kind: facts, subjects: 9, relations: 3, hops: 2}\n  model: {kind: recall}", "kind: "
     "in_weights}\n  model: {kind: mamba}",
     " graph.kind: is missing; "
     "choose path_star, tree_star, grid, cycle, irregular, edge_list or text"),
    ("kind: facts, subjects: 9, relations: 3, hops: 2}\n  model: {kind: recall}\n"
     "  optim: {lr: 1e-2}\n  train: {steps: 5}", "kind: in_weights}\n  model: {kind: mamba}\n"
     "  graph: {kind: cycle, nodes: 5}\n  optim: {lr: 1e-2}\n  train: {steps: 5, fact_batch: 5}",
     "7:33: train.fact_batch: fact_batch belongs to tasks of kind facts; leave it out"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), FACTS)
def test_facts(load, refusal, old, new, message):
    text = (
        "version: 1\ndefaults:\n  task: {kind: facts, subjects: 9, relations: 3, hops: 2}\n"
        "  model: {kind: recall}\n  optim: {lr: 1e-2}\n  train: {steps: 5}\n"
    )
    (run,) = load(text).runs
    assert run.graph is None
    assert old in text
    assert refusal(text.replace(old, new)) == f"g.yaml:{message}"
