"""Wrong parts of a file: each message has its place, what is wrong, what to write."""

import pytest

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
    ("  task: {kind: fact, subjects: 5}",
     "7:16: task.kind: unknown kind 'fact'; choose in_weights, in_context or facts. "
     "Did you mean facts?"),
    ("  task.kind: in_contxt", "7:14: task.kind: unknown kind 'in_contxt'; "
                               "choose in_weights, in_context or facts. Did you mean in_context?"),
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
     "choose transformer, feed_forward, mamba, node2vec or recall"),
    ("overrides: [{where: {model.width: 64}, set: {model.width: 2}}]",
     "7:59: model.width: width 2 cannot be divided by 4 heads; choose a multiple of 4"),
    ("exclude: [{model.width: [64, '128']}]",
     "7:30: model.width: no run has the text '128' there; remove the quotes"),
    ("exclude: [{model.knd: transformer}]",
     "7:12: model.knd: unknown key. Did you mean model.kind?"),
    ("exclude: [{model.kind: transfromer}]",
     "7:24: model.kind: unknown kind 'transfromer'; "
     "choose transformer, feed_forward, mamba, node2vec or recall. "
     "Did you mean transformer?"),
    ("overrides: [{where: {model.width: 8}, set: {}}]",
     "7:44: overrides.set: is empty; name a field, as in "
     "[{where: {model.kind: transformer}, set: {model.heads: 2}}]"),
    ("exclude: [{model.kind: transformer}]", "7:1: exclude: leaves no run; "
                                             "loosen one of its items"),
    ("exclude: [{seed: 3}]", "7:12: seed: seeds belong to the top level of the file, "
                             "for example `seeds: 0-3`"),
    ("execution: {devise: cpu}", "7:13: execution.devise: unknown key. Did you mean device?"),
    ("execution: {stack: 0}", "7:20: execution.stack: has to be at least 1, got 0"),
    ("execution: {device: gpu}", "7:21: execution.device: expected auto, cpu or cuda, "
                                 "got the text 'gpu'"),
    ("execution: cpu", "7:1: execution: expected a mapping with device, stack, share_sizes, "
                       "workers, threads, tuning, retries, checkpoint_seconds, compile, "
                       "parameters, got the text 'cpu'"),
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
