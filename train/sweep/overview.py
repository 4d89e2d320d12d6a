"""What a plan looks like to a reader: one line for stacks of the same key."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath

from pydantic import BaseModel

from geomem.train.config.graph import file_fields
from geomem.train.config.model import INIT_FIELDS
from geomem.train.config.run import RunConfig
from geomem.train.sweep.plan import VARIES_IN_TRAIN, Stack, stack_key
from geomem.train.sweep.size import member_bytes, member_parameters

_ALWAYS = {"layers", "width", "recipe"}
Words = tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """Stacks of one key. `words` describe the run's sections, first of all the kind of each.

    memory: estimate for the largest of the stacks, in bytes.
    """

    key: str
    words: dict[str, Words]
    runs: int
    members: tuple[int, ...]
    parameters: int
    memory: int


def overview(stacks: Sequence[Stack]) -> list[Row]:
    """One row per key, in the order of the plan."""
    keyed = groupby(stacks, key=lambda stack: stack_key(stack.runs[0]))
    return [_row(key, list(group)) for key, group in keyed]


def common_words(rows: Sequence[Row]) -> dict[str, Words]:
    """For each section, the words after the first that several rows all have."""
    if len(rows) < 2:
        return dict.fromkeys(rows[0].words, ()) if rows else {}
    return {
        name: tuple(word for word in words[1:] if all(word in row.words[name][1:] for row in rows))
        for name, words in rows[0].words.items()
    }


def _row(key: str, stacks: Sequence[Stack]) -> Row:
    runs = [run for stack in stacks for run in stack.runs]
    first, members = runs[0], tuple(len(stack.runs) for stack in stacks)
    distinct = {id(run.train): run for run in runs}.values()
    return Row(
        key=key,
        words=run_words(first) | {"training": _training(runs)},
        runs=len(runs),
        members=members,
        parameters=member_parameters(first),
        memory=max(members) * max(member_bytes(run) for run in distinct),
    )


def run_words(run: RunConfig) -> dict[str, Words]:
    """What describes the shape of a run: words for its graph, model and task."""
    return {"graph": _graph(run), "model": _model(run), "task": _words(run.task)}


def _graph(run: RunConfig) -> Words:
    if run.graph is None:
        return ("none",)
    if files := file_fields(run.graph):
        paths = (getattr(run.graph, name) for name in files)
        return (run.graph.kind, *(PurePath(path).name for path in paths if path))
    return _words(run.graph)


def _model(run: RunConfig) -> Words:
    words = _words(run.model, hidden={*INIT_FIELDS, "dropout"})
    return (*words, "dropout") if getattr(run.model, "dropout", 0) else words


def _training(runs: Sequence[RunConfig]) -> Words:
    steps = [run.train.steps for run in runs]
    low, high = min(steps), max(steps)
    shown = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return (f"{shown} steps", *_words(runs[0].train, hidden=VARIES_IN_TRAIN))


def _words(section: BaseModel, hidden: set[str] | frozenset[str] = frozenset()) -> Words:
    """The kind, and the fields that are not at their defaults."""
    words = [str(section.kind)] if hasattr(section, "kind") else []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if name == "kind" or name in hidden:
            continue
        if name in _ALWAYS or field.is_required() or value != field.default:
            words.append(f"{name}={str(value).lower() if isinstance(value, bool) else value}")
    return tuple(words)
