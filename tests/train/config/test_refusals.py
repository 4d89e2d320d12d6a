"""Wrong files: each message has its place, says what is wrong, and what to write instead."""

import pickle
import time

import pytest

from geomem.train.config import ConfigError
from geomem.train.config.errors import MAX_PROBLEMS

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
     "choose transformer, feed_forward, mamba or node2vec"),
    ("kind: transformer", "kind: transfromer",
     "4:17: model.kind: unknown kind 'transfromer'; "
     "choose transformer, feed_forward, mamba or node2vec. "
     "Did you mean transformer?"),
    ("kind: transformer", "kind: [transformer]",
     "4:17: model.kind: expected the name of a kind, got a list; "
     "choose transformer, feed_forward, mamba or node2vec"),
    ("kind: transformer", "width: 64",
     "4:11: model.kind: is missing; choose transformer, feed_forward, mamba or node2vec"),
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


# Appended to the base file, whose last line still belongs to defaults.
PARTS = [
    ("  widht: 5", "7:3: widht: unknown key. Did you mean model.width?"),
    ("  model.widht: 5", "7:3: model.widht: unknown key. Did you mean model.width?"),
    ("  model.lr: 5", "7:3: model.lr: unknown key. Did you mean optim.lr?"),
    ("  modle.width: 5", "7:3: modle.width: unknown key. Did you mean model.width?"),
    ("  model.width: 5\n  model.width: 6",
     "8:3: model.width: given twice, first at g.yaml:7:3; keep one of them"),
    ("  train.steps: 6", "7:3: train.steps: given twice, first at g.yaml:6:11; keep one of them"),
    ("  train.stop_when.metric: first_hop\n  train.stop_when: null",
     "8:3: train.stop_when: given twice, first at g.yaml:7:3; keep one of them"),
    ("  seed: 5", "7:3: seed: seeds belong to the top level of the file, "
                  "for example `seeds: 0-3`"),
    ("  task: {kind: fact, subjects: 5}", "7:16: task.kind: unknown kind 'fact'; "
                                          "choose in_weights or in_context"),
    ("  task.kind: in_contxt", "7:14: task.kind: unknown kind 'in_contxt'; "
                               "choose in_weights or in_context. Did you mean in_context?"),
    ("  task: {labels: 5}",
     "7:10: task.labels: a field of kind in_context, and this task is of kind in_weights; "
     "leave it out, set it in overrides with `where: {task.kind: in_context}`, "
     "or give whole task mappings as one axis"),
    ("  task: {recipe: mixed}",
     "7:18: task.recipe: recipe mixed needs paths, and a graph of kind cycle has none; "
     "use path_star or tree_star, or recipe edges_only"),
    ("grid: {}", "7:1: grid: no axes, so nothing would run; "
                 "add one such as model.width: [32, 64], or remove it"),
    ("grid:", "7:1: grid: expected a mapping of axes such as model.width: [32, 64], got nothing"),
    ("grid: [a]", "7:1: grid: expected a mapping of axes such as model.width: [32, 64], "
                  "got a list"),
    ("grid: {model.width: 64}", "7:8: model.width: an axis is a list of values, got 64; "
                                "write [64], or put a single value under defaults"),
    ("grid: {model.width: []}", "7:8: model.width: an axis is a list of values, "
                                "got an empty list"),
    ("grid: {model: {}}", "7:8: model: an axis is a list of values, got an empty mapping"),
    ("grid: {model.widht: [1]}", "7:8: model.widht: unknown key. Did you mean model.width?"),
    ("grid: {model: {widht: [1]}}", "7:16: model.widht: unknown key. Did you mean model.width?"),
    ("grid: {model: [transformer]}",
     "7:16: model: each value is a mapping such as {kind: ...}, got the text 'transformer'; "
     "to vary the kind alone use model.kind"),
    ("grid: {model: [{kind: transformer, widht: 4}]}",
     "7:36: model.widht: unknown key. Did you mean model.width?"),
    ("grid: {model: [{kind: transformer, width: 8}], model.width: [8, 16]}",
     "7:48: model.width: sets model.width, as the axis model does (g.yaml:7:8); "
     "keep one of them"),
    ("grid: {train.stop_when: [null], train.stop_when.metric: [first_hop]}",
     "7:33: train.stop_when.metric: sets train.stop_when.metric, as the axis train.stop_when does "
     "(g.yaml:7:8); keep one of them"),
    ("grid: {train.stop_when.metric: [first_hop], train.stop_when: [null]}",
     "7:45: train.stop_when: sets train.stop_when, as the axis train.stop_when.metric does "
     "(g.yaml:7:8); keep one of them"),
    ("grid: {model.width: [8]}\nzip: [{model.width: [16]}]",
     "8:7: model.width: sets model.width, as the axis model.width does (g.yaml:7:8); "
     "keep one of them"),
    ("grid: {model.width: [64, [8]]}", "7:26: model.width: expected an integer, got a list; "
                                       "a list of values to try belongs under grid"),
    ("grid: {model.width: [64, 66]}",
     "7:26: model.width: width 66 cannot be divided by 4 heads; choose a multiple of 4"),
    ("zip: [{model.width: [64, 128], optim.lr: [1e-3]}]",
     "7:7: zip: the axes of one mapping need equally many values, "
     "and model.width has 2, optim.lr has 1"),
    ("zip: {model.width: [64]}",
     "7:1: zip: expected a list such as [{model.width: [32, 64], optim.lr: [1e-2, 1e-3]}], "
     "got a mapping"),
    ("zip: [{}]", "7:7: zip: no axes, so nothing would run; "
                  "add one such as model.width: [32, 64], or remove it"),
    ("runs: {model.width: 64}", "7:1: runs: expected a list such as [{model.width: 32}], "
                                "got a mapping; remove runs if unused"),
    ("runs: [64]", "7:8: runs: expected a mapping of fields, got 64"),
    ("runs:\n  - model.width: 64\n    model.heads: 0",
     "9:18: model.heads: has to be at least 1, got 0"),
    ("overrides: {where: {model.width: 64}}",
     "7:1: overrides: expected a list such as "
     "[{where: {model.kind: transformer}, set: {model.heads: 2}}], "
     "got a mapping; remove overrides if unused"),
    ("overrides: [{where: {}, set: {model.width: 8}}]",
     "7:14: overrides: where is a mapping of fields such as {model.kind: transformer}, "
     "got an empty mapping"),
    ("overrides: [{set: {model.width: 8}}]",
     "7:13: overrides: needs `where` and `set`, as in "
     "[{where: {model.kind: transformer}, set: {model.heads: 2}}]"),
    ("overrides: [{wher: {model.width: 64}}]", "7:14: overrides.wher: unknown key. "
                                               "Did you mean where?"),
    ("overrides: [{where: {model.kind: retnet}, set: {model.width: 8}}]",
     "7:34: model.kind: unknown kind 'retnet'; "
     "choose transformer, feed_forward, mamba or node2vec"),
    ("overrides: [{where: {model.width: 64}, set: {model.width: 2}}]",
     "7:59: model.width: width 2 cannot be divided by 4 heads; choose a multiple of 4"),
    ("exclude: [{model.knd: transformer}]",
     "7:12: model.knd: unknown key. Did you mean model.kind?"),
    ("exclude: [{model.kind: transfromer}]",
     "7:24: model.kind: unknown kind 'transfromer'; "
     "choose transformer, feed_forward, mamba or node2vec. "
     "Did you mean transformer?"),
    ("exclude: [{model.kind: transformer}]", "7:1: exclude: leaves no run; "
                                             "loosen one of its items"),
    ("exclude: [{seed: 3}]", "7:12: seed: seeds belong to the top level of the file, "
                             "for example `seeds: 0-3`"),
    ("execution: {devise: cpu}", "7:13: execution.devise: unknown key. Did you mean device?"),
    ("execution: {stack: 0}", "7:20: execution.stack: has to be at least 1, got 0"),
    ("execution: {device: gpu}", "7:21: execution.device: expected auto, cpu or cuda, "
                                 "got the text 'gpu'"),
    ("execution: cpu", "7:1: execution: expected a mapping with device, stack, workers, threads, "
                       "retries, checkpoint_seconds, parameters, got the text 'cpu'"),
    ("model: {width: 5}", "7:1: model: belongs under defaults, grid, zip or runs"),
    ("lr: 1", "7:1: lr: unknown key. Did you mean optim.lr under defaults?"),
    ("gird: {}", "7:1: gird: unknown key. Did you mean grid?"),
    ("version: 1", "7:1: version: given twice, first at g.yaml:1:1; keep one of them"),
    ("name: 5", "7:7: name: expected text, got 5"),
    ("name: ''", "7:7: name: expected text, got the text ''"),
    (f"name: {'x' * 301}", "7:7: name: 301 characters are more than the limit of 300"),
    ('name: "a\\nb"', "7:7: name: control characters and line breaks are refused, "
                      "got the text 'a\\nb'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), PARTS)
def test_parts(refusal, base, text, message):
    assert refusal(base + text + "\n") == f"g.yaml:{message}"


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


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2", "1:10: version: this geomem reads format version 1, got 2"),
        ("true", "1:10: version: this geomem reads format version 1, got true"),
        ("'1'", "1:10: version: this geomem reads format version 1, got the text '1'"),
    ],
)
def test_versions(refusal, base, value, message):
    assert refusal(base.replace("version: 1", f"version: {value}")) == f"g.yaml:{message}"


def test_missing_version(refusal, base):
    assert refusal(base[len("version: 1\n") :]) == (
        "g.yaml:1:1: version: is missing; write `version: 1`"
    )


def test_missing_sections(refusal):
    assert refusal("version: 1\ndefaults: {model.kind: transformer}\n").splitlines() == [
        "g.yaml: graph.kind: is missing; "
        "choose path_star, tree_star, grid, cycle, irregular or edge_list",
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


def test_all_problems_at_once_in_the_order_of_the_file(refusal, base):
    text = base.replace("nodes: 15", "nodes: 1").replace("lr: 1e-2", "lrr: 1e-2")
    assert refusal(text + "seeds: x\nexecution: {stack: none}\n").splitlines() == [
        "g.yaml:3:31: graph.nodes: has to be at least 3, got 1",
        "g.yaml:5:11: optim.lrr: unknown key. Did you mean optim.lr?",
        "g.yaml:7:8: seeds: cannot read the text 'x'; "
        "write a seed (7), a range (0-31), both (0-3,8) or a list of them",
        "g.yaml:8:20: execution.stack: expected auto or an integer, got the text 'none'",
    ]


def test_equal_problems_once_and_ten_at_most(refusal, base):
    text = base.replace("nodes: 15", "nodes: 1")
    assert len(refusal(text + "grid: {optim.lr: [1, 2, 3]}\n").splitlines()) == 1
    lines = refusal(base + "grid: {train.steps: [" + "x, " * 12 + "x]}\n").splitlines()
    assert len(lines) == 11
    assert lines[-1] == "... and 3 more problems"


def test_a_large_grid_of_faulty_runs_is_refused_soon(refusal, base):
    rates = ", ".join(str(rate) for rate in range(1, 1_001))
    text = base.replace("nodes: 15", "nodes: 1")
    start = time.perf_counter()
    message = refusal(f"{text}grid: {{optim.lr: [{rates}], optim.eps: [{rates}]}}\n")
    assert time.perf_counter() - start < 2
    assert message == "g.yaml:3:31: graph.nodes: has to be at least 3, got 1"


def test_problems_are_bounded(load, base):
    with pytest.raises(ConfigError) as caught:
        load(base + "runs: [" + "x, " * 200_000 + "x]\n")
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_strange_keys_are_shown_on_one_short_line(refusal, base):
    assert refusal(base + '"a\\nb": 1\n') == r"g.yaml:7:1: a\nb: unknown key"
    assert len(refusal(base + "k" * 1_000 + ": 1\n")) < 100


def test_the_error_survives_a_process_boundary(load, base):
    with pytest.raises(ConfigError) as caught:
        load(base + "gird: {}\n")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.problems) == (str(caught.value), caught.value.problems)
