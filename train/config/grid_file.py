"""Grid files: a YAML text in, the runs of a sweep out.

    version: 1                     # of this format
    name: tiny-graphs              # shown to people, never a path; default: the file's name
    defaults: {...}                # fields of every run
    grid: {model.width: [32, 64]}  # axes; every combination
    zip: [{...}, ...]              # each mapping: axes walked in lockstep, together one more axis
    runs: [{...}, ...]             # single runs on top of defaults, added to the product
    overrides: [{where: {...}, set: {...}}]
    exclude: [{...}, ...]          # each a where; runs that match are left out
    seeds: 0-31                    # 7, 0-31, "0-3,8" or a list; every configuration x every seed
    execution: {...}               # how, not what: no part of a run's identity

- Fields are written nested or dotted (`model: {width: 64}`, `model.width: 64`), everywhere.
- A section given as a mapping with `kind` replaces what it would inherit; without, it is merged.
- Precedence: defaults < axes or the explicit run < overrides in order < --set.
- A field is set by one axis at most. The first axis varies slowest, then zip, then seeds.
- Without grid, zip and runs, the defaults alone are one configuration.
- A where matches if each of its fields has the value, or one of the listed ones; defaults and
  --set count. An override or exclusion without any match is a warning.
- Equal runs are kept once, with a warning. So are, but kept, values that no run reads and runs
  that differ in such values alone.
- `graph.path` of an edge list and `execution.tuning` start at the folder of the grid file.
"""

import contextlib
import gc
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from geomem.train.config.assign import Assignments, read_assignments
from geomem.train.config.catalog import SECTIONS, guess_path
from geomem.train.config.entries import read_keys
from geomem.train.config.errors import Mark, Problems
from geomem.train.config.execution import Execution
from geomem.train.config.expand import Expansion, expand
from geomem.train.config.explain import explain
from geomem.train.config.graph_file import GraphFiles
from geomem.train.config.layers import Entries, Layers, read_layers
from geomem.train.config.run import RunConfig
from geomem.train.config.seeds import read_seeds
from geomem.train.config.shipped import find_grid
from geomem.train.config.words import close_to, describe, did_you_mean, shorten
from geomem.train.config.yaml_file import Node, load_yaml, plain

VERSION = 1
MAX_RUNS = 1_000_000
MAX_NAME = 300
KEYS = (
    "version", "name", "defaults", "grid", "zip", "runs", "overrides", "exclude", "seeds",
    "execution",
)  # fmt: skip


@dataclass(frozen=True)
class GridFile:
    """What a grid file asks for; `text` is the file as it was read, without --set.

    files: absolute path and SHA-256 of each file of a graph, by its path as written.
    """

    name: str
    runs: tuple[RunConfig, ...]
    execution: Execution
    warnings: tuple[str, ...]
    text: str
    files: Mapping[str, tuple[str, str]]


def load_grid(path: str | os.PathLike[str], sets: Sequence[str] = ()) -> GridFile:
    """Read a grid file and the `KEY=VALUE` texts of --set; see this module for the format.

    `path` may be the name of a shipped grid instead, such as `tiny_graphs`.
    Raises ConfigError with every problem found. Limits: 8 MiB, 20 levels, 2 000 000 keys and
    values, 1 000 000 runs; a file beyond them is refused before it is expanded.
    """
    if isinstance(sets, str):
        raise TypeError(f"sets is a list of texts, such as [{sets!r}]")
    with _without_collections():
        return _load(find_grid(Path(path)), sets)


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """Loading makes millions of objects and no cycles; looking for some would double its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _load(path: Path, sets: Sequence[str]) -> GridFile:
    text, root = load_yaml(path)
    problems = Problems()
    assigned = read_assignments(sets, problems)
    entries = _top_level(root, problems)
    _check_version(entries, root, problems)
    entries |= assigned.top
    name = _name(entries, path, problems)
    folder = os.path.dirname(os.path.abspath(path))
    execution = _execution(entries, assigned, folder, problems)
    seeds = read_seeds(entries["seeds"], problems) if "seeds" in entries else [range(1)]
    layers = read_layers(Mark(root.mark.file), entries, assigned.fields, problems)
    seeds_count = sum(part.stop - part.start for part in seeds)
    _refuse_too_many(layers.count * max(1, seeds_count), layers.top, problems)
    files = GraphFiles(folder)
    configs = expand(layers, files, problems)
    if not configs.runs and not problems:
        problems.add(entries["exclude"].place, "exclude", "leaves no run; loosen one of its items")
    problems.raise_any()
    runs = tuple(
        config.model_copy(update={"seed": seed})
        for config in configs.runs
        for part in seeds
        for seed in part
    )
    warnings = _warnings(layers, configs, seeds_count)
    return GridFile(name, runs, execution, tuple(warnings), text, files.found)


def _top_level(root: Node, problems: Problems) -> Entries:
    assert isinstance(root.value, dict)
    for key, node in root.value.items():
        if key.partition(".")[0] in SECTIONS:
            problems.add(node.place, shorten(key), "belongs under defaults, grid, zip or runs")
        elif key not in KEYS:
            guesses = close_to(key, KEYS) or [f"{path} under defaults" for path in guess_path(key)]
            problems.add(node.place, shorten(key), f"unknown key{did_you_mean(guesses)}")
    return {key: node for key, node in root.value.items() if key in KEYS}


def _check_version(entries: Entries, root: Node, problems: Problems) -> None:
    if "version" not in entries:
        problems.add(root.mark, "version", f"is missing; write `version: {VERSION}`")
        return
    value = entries["version"].value
    if type(value) is not int or value != VERSION:
        text = f"this geomem reads format version {VERSION}, got {describe(value)}"
        problems.add(entries["version"].mark, "version", text)


def _name(entries: Entries, path: Path, problems: Problems) -> str:
    if "name" not in entries:
        return "".join(c if c.isprintable() else "?" for c in path.stem)[:MAX_NAME]
    node = entries["name"]
    if not isinstance(node.value, str) or not node.value.strip():
        problems.add(node.mark, "name", f"expected text, got {describe(node.value)}")
        return ""
    if len(node.value) > MAX_NAME:
        text = f"{len(node.value)} characters are more than the limit of {MAX_NAME}"
        problems.add(node.mark, "name", text)
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in node.value):
        text = f"control characters and line breaks are refused, got {describe(node.value)}"
        problems.add(node.mark, "name", text)
    return node.value


def _execution(
    entries: Entries, assigned: Assignments, folder: str, problems: Problems
) -> Execution:
    given: dict[str, Node] = {}
    if "execution" in entries:
        given = read_keys(entries["execution"], Execution.model_fields, "execution", problems)
    given |= assigned.execution
    try:
        found = Execution.model_validate({key: plain(node) for key, node in given.items()})
        if found.tuning is None:
            return found
        return found.model_copy(update={"tuning": os.path.join(folder, found.tuning)})
    except ValidationError as error:
        for fault in explain(error, Execution):
            mark = given[str(fault.path[0])].mark
            problems.add(mark, f"execution.{fault.key}", fault.text)
        return Execution()


def _refuse_too_many(total: int, top: Mark, problems: Problems) -> None:
    if total > MAX_RUNS:
        shown = str(total) if total < 10**15 else "more than 10^15"
        text = f"{shown} runs are more than the limit of {MAX_RUNS}; remove axes, values or seeds"
        problems.add(top, "grid", text)
        problems.raise_any()


def _warnings(layers: Layers, configs: Expansion, seeds: int) -> list[str]:
    unmatched = [("overrides", rule) for rule in layers.overrides if not rule.hits]
    unmatched += [("exclude", rule) for rule in layers.exclude if not rule.hits]
    found = [f"{rule.mark}: {owner}: this where matched no run" for owner, rule in unmatched]
    found += configs.idle.warnings()
    if repeated := configs.repeated * seeds:
        are = (
            "run is equal to an earlier one" if repeated == 1 else "runs are equal to earlier ones"
        )
        found.append(f"{layers.top}: {repeated} {are}; each is kept once")
    if twins := configs.idle.twins * seeds:
        runs = "1 run differs" if twins == 1 else f"{twins} runs differ"
        text = (
            "from earlier ones in settings alone that change nothing there; exclude can drop them"
        )
        found.append(f"{layers.top}: {runs} {text}")
    return found
