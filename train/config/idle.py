"""Settings that a run does not read: allowed, as axes cross, but told."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from geomem.train.config.errors import Mark
from geomem.train.config.model import FeedForward, Node2Vec, Transformer
from geomem.train.config.run import RunConfig, run_id
from geomem.train.config.settings import Settings
from geomem.train.config.task import InWeights


class _Rule(NamedTuple):
    """Fields that nothing reads in runs for which `applies` is true, which `where` says."""

    where: str
    applies: Callable[[RunConfig], bool]
    fields: tuple[str, ...]


_OF_PATHS = ("target", "reverse_paths", "teacherless", "pauses", "start_node")

_RULES = (
    _Rule(
        "task.recipe is edges_only",
        lambda run: isinstance(run.task, InWeights) and run.task.recipe == "edges_only",
        (*(f"task.{name}" for name in _OF_PATHS), "train.path_batch"),
    ),
    _Rule(
        "model.kind is node2vec or feed_forward",
        lambda run: isinstance(run.model, Node2Vec | FeedForward),
        ("task.task_token",),
    ),
    _Rule(
        "model.layers is 1",
        lambda run: isinstance(run.model, FeedForward) and run.model.layers == 1,
        ("model.activation",),
    ),
    _Rule(
        "model.positions is none",
        lambda run: isinstance(run.model, Transformer) and run.model.positions == "none",
        ("model.position_std",),
    ),
    _Rule(
        "model.attention is false",
        lambda run: isinstance(run.model, Transformer) and not run.model.attention,
        ("model.heads",),
    ),
    _Rule(
        "optim.schedule is constant",
        lambda run: run.optim.schedule == "constant",
        ("optim.final_lr_fraction",),
    ),
)


class Idle:
    """What was written for nothing, gathered over the configurations of a grid.

    `twins` counts configurations that differ from an earlier one in nothing that they read.
    """

    def __init__(self) -> None:
        self.twins = 0
        self._read: set[tuple[Mark, str]] = set()
        self._unread: dict[tuple[Mark, str], str] = {}
        self._known: set[str] = set()

    def add(self, run: RunConfig, identity: str, settings: Settings) -> None:
        """Look at a distinct configuration, its run id, and the values written for it."""
        unread = {path: rule.where for rule in _RULES if rule.applies(run) for path in rule.fields}
        written = [path for path in unread if _value(run, path) != _default(run, path)]
        self._unread |= {(settings[path].mark, path): unread[path] for path in written}
        self._read |= {(node.mark, path) for path, node in settings.items() if path not in unread}
        bare = run_id(_without(run, written)) if written else identity
        self.twins += bare in self._known
        self._known.add(bare)

    def warnings(self) -> list[str]:
        """A line for each written value that no configuration reads."""
        return [
            f"{mark}: {path}: changes nothing where {where}; leave it out"
            for (mark, path), where in self._unread.items()
            if (mark, path) not in self._read
        ]


def _value(run: RunConfig, path: str) -> Any:
    section, _, name = path.partition(".")
    return getattr(getattr(run, section), name)


def _default(run: RunConfig, path: str) -> Any:
    section, _, name = path.partition(".")
    return type(getattr(run, section)).model_fields[name].default


def _without(run: RunConfig, paths: Iterable[str]) -> RunConfig:
    """The run with these fields at their defaults."""
    for path in paths:
        section, _, name = path.partition(".")
        changed = getattr(run, section).model_copy(update={name: _default(run, path)})
        run = run.model_copy(update={section: changed})
    return run
