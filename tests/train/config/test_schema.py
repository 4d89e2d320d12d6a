"""The schema agrees with the loader on the form of files."""

import jsonschema
import pytest

from geomem.train.config.schema import grid_schema
from geomem.train.config.shipped import shipped_grids
from geomem.train.config.yaml_file import load_yaml, parse_yaml, plain

EXAMPLE = """\
version: 1
name: tiny-graphs
defaults: {task: {kind: in_weights}, model: {kind: transformer, layers: 1}, optim: {lr: 1e-2}}
grid: {graph: [{kind: cycle, nodes: 15}, {kind: grid, rows: 4, columns: 4}],
  model.kind: [transformer, feed_forward], train: {stop_when: {metric: [first_hop]}}}
zip: [{model.width: [64, 128], optim.lr: [1e-3, 3e-4]}]
runs: [{graph: {kind: path_star, arms: 4, length: 5}, train: {stop_when.metric: first_hop}}]
overrides: [{where: {model: {kind: feed_forward}}, set: {model.activation: gelu}}]
exclude: [{model.kind: [feed_forward], graph.kind: cycle}]
seeds: [0-31, 40]
execution: {device: auto, stack: 4, retries: 2}
"""


@pytest.fixture(scope="module")
def validator():
    schema = grid_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def is_valid(validator, text):
    return validator.is_valid(plain(parse_yaml(text, "f")))


def test_accepts_the_whole_format(validator):
    validator.validate(plain(parse_yaml(EXAMPLE, "f")))


@pytest.mark.parametrize("name", shipped_grids())
def test_accepts_shipped_grids(validator, name):
    validator.validate(plain(load_yaml(shipped_grids()[name])[1]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: 2"),
        ("defaults", "defalts"),
        ("layers: 1", "layrs: 1"),
        ("nodes: 15", "rows: 15"),
        ("model.width: [64", "model.widht: [64"),
        ("model.width: [64, 128]", "model.width: 64"),
        ("[transformer, feed_forward]", "[transformer, retnet]"),
        ("stop_when.metric", "stop_when.metrc"),
        ("first_hop", "first_hope"),
        ("lr: 1e-2", "lr: 1:30"),
        ("lr: 1e-2", "lr: 0"),
        ("model.activation", "model.actvation"),
        ("model: {kind: feed", "model: {knd: feed"),
        ("0-31", "0-"),
        ("device", "devise"),
        ("stack: 4", "stack: 0"),
        ("name: tiny-graphs", "name: 5"),
    ],
)
def test_rejects_what_the_loader_refuses(validator, old, new):
    assert old in EXAMPLE
    assert not is_valid(validator, EXAMPLE.replace(old, new))


def test_fields_bring_their_help():
    definitions = grid_schema()["$defs"]
    assert definitions["optim.lr"]["description"] == "Peak learning rate."
    assert definitions["model.heads"]["default"] == 4
    assert definitions["graph.kind"]["anyOf"][0]["const"] == "path_star"
