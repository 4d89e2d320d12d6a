"""The file that `geomem-train tune` writes: how fast stacks of each shape train on one device."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from geomem.train.canonical import canonical_json
from geomem.train.config.base import Section
from geomem.train.config.errors import ConfigError, Mark, Problem
from geomem.train.config.execution import Execution
from geomem.train.config.words import describe, show_path
from geomem.train.config.yaml_file import Node, load_yaml, plain
from geomem.train.packs import atomic_write
from geomem.train.sweep.sizing import StepCost, Tuned
from geomem.train.sweep.slots import Slots

FASTEST = 0.95
"""Share of the highest speed at which fewer members are as good."""
USEFUL = 0.8
"""Share of the highest speed down to which stacks may be made smaller for the sake of balance."""
_REMEDY = "restore the file, or delete it and run 'geomem-train tune' again"


class Speed(Section):
    """Of one stack in one worker with one thread."""

    members: int = Field(ge=1)
    """Runs in the stack."""
    rate: float = Field(gt=0)
    """Member-steps per second."""


class Arrangement(Section):
    """How fast several workers are together, on the CPU or on one GPU."""

    workers: int = Field(ge=1)
    """Processes, each with a stack of the chosen size."""
    threads: int = Field(ge=1)
    """CPU threads of each."""
    rate: float = Field(gt=0)
    """Member-steps per second of all of them."""


class Shape(Section):
    """What was measured of one shape; `members` is the choice, null while there is none."""

    shape: dict[str, Any]
    """What runs of one stack have in common."""
    measured: list[Speed] = Field(default_factory=list)
    """From few members to many."""
    too_many: int | None = Field(default=None, ge=1)
    """Members for which memory did not suffice."""
    members: int | None = None
    """The fewest that are as good as any."""
    arrangements: list[Arrangement] = Field(default_factory=list)
    """Workers and threads that were compared."""

    @model_validator(mode="after")
    def _chosen_among_measured(self) -> Self:
        sizes = [speed.members for speed in self.measured]
        if self.members is not None and self.members not in sizes:
            raise ValueError(f"members {self.members} is none of those measured, {sizes}")
        return self

    @property
    def key(self) -> str:
        """The stack key that it belongs to."""
        return canonical_json(self.shape)


class Tuning(Section):
    """The whole file."""

    format: Literal[1] = 1
    """Version of this format."""
    device: str
    """Name of the device that was measured."""
    versions: dict[str, str]
    """Of the programs that trained."""
    shapes: list[Shape]
    """One for each shape of the grid."""


def device_name(slots: Slots, execution: Execution) -> str:
    """What a measurement holds for: the device, and whether its steps are compiled."""
    name = slots.name or f"an unknown {slots.device} device"
    return f"{name}, compiled" if execution.compile else name


def choose_members(measured: Sequence[Speed], share: float = FASTEST) -> int:
    """The fewest members that reach this share of the highest speed."""
    enough = share * max(speed.rate for speed in measured)
    return min(speed.members for speed in measured if speed.rate >= enough)


def tuned(shape: Shape) -> Tuned | None:
    """What a plan needs to know; None while nothing is chosen.

    The seconds of a step follow from the fewest members and from the choice.
    """
    if shape.members is None:
        return None
    seconds = {speed.members: speed.members / speed.rate for speed in shape.measured}
    low, high = min(seconds), shape.members
    least = min(high, choose_members(shape.measured, USEFUL))
    member = seconds[high] / high
    if high > low:
        member = min(member, max(0.0, (seconds[high] - seconds[low]) / (high - low)))
    return Tuned(high, least, StepCost(seconds[high] - high * member, member))


def write_tuning(path: Path, tuning: Tuning) -> None:
    """Write the file atomically. Raises DiskError."""
    text = json.dumps(tuning.model_dump(mode="json"), indent=1, ensure_ascii=False)
    atomic_write(path, (text + "\n").encode())


def read_tuning(path: Path) -> Tuning:
    """Raises ConfigError with file, line, value and remedy for one that is missing or damaged."""
    source = show_path(path)
    if not path.exists():
        raise ConfigError([(Mark(source), "no such file; 'geomem-train tune' writes one")])
    if path.is_file() and not path.stat().st_size:
        raise ConfigError([(Mark(source), f"the file is empty; {_REMEDY}")])
    try:
        _, root = load_yaml(path)  # JSON is YAML, and this reader knows the places
    except ConfigError as error:
        error.add_note(f"To mend a damaged tuning file, {_REMEDY}")
        raise
    try:
        tuning = Tuning.model_validate(plain(root))
    except ValidationError as error:
        problems = [_problem(detail, root) for detail in error.errors(include_url=False)]
        raise ConfigError(problems) from error
    _refuse_twins(tuning, root)
    return tuning


def _refuse_twins(tuning: Tuning, root: Node) -> None:
    keys = [shape.key for shape in tuning.shapes]
    for i, key in enumerate(keys):
        if key in keys[:i]:
            text = f"the same shape as number {keys.index(key) + 1}; {_REMEDY}"
            raise ConfigError([(_find(("shapes", i), root).place, f"shapes.{i}: {text}")])


def _problem(detail: ErrorDetails, root: Node) -> Problem:
    name = ".".join(map(str, detail["loc"]))
    text = detail["msg"].removeprefix("Value error, ")
    text = f"{text[:1].lower()}{text[1:]}"
    if detail["type"] not in ("missing", "value_error"):
        text += f", got {describe(detail['input'])}"
    return _find(detail["loc"], root).place, f"{name}: {text}; {_REMEDY}"


def _find(path: Sequence[str | int], node: Node) -> Node:
    """The node at the path, or the last one on the way to it."""
    for step in path:
        value = node.value
        if isinstance(value, list) and isinstance(step, int):
            node = value[step]
        elif isinstance(value, dict):
            node = value.get(str(step), node)
    return node
