"""One run from a mapping of fields, read as a grid file's runs are."""

import os
from collections.abc import Mapping
from typing import Any

from geomem.train.config.errors import Mark, Problems
from geomem.train.config.expand import validated
from geomem.train.config.graph_file import GraphFiles
from geomem.train.config.idle import Idle
from geomem.train.config.run import RunConfig, run_id
from geomem.train.config.seeds import LARGEST_SEED
from geomem.train.config.settings import Settings, apply, read_patch
from geomem.train.config.words import describe
from geomem.train.config.yaml_file import Node

_MARK = Mark("configuration")


def read_run(fields: Mapping[str, Any], idle: Idle | None = None) -> RunConfig:
    """The run with these fields, nested or dotted, and `seed`; all else has its default.

    Files of graphs start at the current folder; `idle` learns of values that change nothing.
    Raises ConfigError with every problem found.
    """
    problems = Problems()
    rest = {str(key): value for key, value in fields.items()}
    seed = _seed(rest.pop("seed", 0), problems)
    settings: Settings = {}
    apply(settings, read_patch(_node(rest), "configuration", problems))
    files = GraphFiles(os.getcwd())
    run = validated(settings, _MARK, files, problems, quiet=len(problems) > 0)
    problems.raise_any()
    assert run is not None
    if idle is not None:
        idle.add(run, run_id(run), settings)
    return run.model_copy(update={"seed": seed})


def _seed(value: Any, problems: Problems) -> int:
    if type(value) is int and 0 <= value <= LARGEST_SEED:
        return value
    text = f"expected an integer from 0 to {LARGEST_SEED}, got {describe(value)}"
    problems.add(_MARK, "seed", text)
    return 0


def _node(value: Any) -> Node:
    """The value with everything in it as a node, all of them in the same place."""
    if isinstance(value, Mapping):
        return Node({str(key): _node(item) for key, item in value.items()}, _MARK)
    if isinstance(value, list | tuple):
        return Node([_node(item) for item in value], _MARK)
    return Node(value, _MARK)
