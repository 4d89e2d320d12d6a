"""Settings that a run does not read, or that cannot be meant: allowed, as axes cross, but told."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from geomem.train.config.catalog import default_of, kind_of
from geomem.train.config.errors import Mark
from geomem.train.config.fitting import split_units
from geomem.train.config.graph import FileGraph, PathStar, TreeStar
from geomem.train.config.model import FeedForward, Node2Vec, Recall, Transformer
from geomem.train.config.run import RunConfig, run_id
from geomem.train.config.settings import Settings
from geomem.train.config.task import EDGE_MEASURES, Facts, InWeights, held_out_count


class _Rule(NamedTuple):
    """Fields that nothing reads in runs for which `applies` is true, which `where` says."""

    where: str
    applies: Callable[[RunConfig], bool]
    fields: tuple[str, ...]


def _warms_up_to_the_end(run: RunConfig) -> bool:
    return run.optim.warmup_steps >= run.train.steps


def _trains_edges_alone(run: RunConfig) -> bool:
    return isinstance(run.task, InWeights) and run.task.recipe == "edges_only"


def _stops_by_paths(run: RunConfig) -> bool:
    rule = run.train.stop_when
    return rule is not None and rule.metric not in EDGE_MEASURES


_OF_PATHS = (
    *("target", "reverse_paths", "teacherless", "pauses", "start_node"),
    *("test_fraction", "split"),
)

_RULES = (
    _Rule(
        "task.recipe is edges_only",
        _trains_edges_alone,
        (*(f"task.{name}" for name in _OF_PATHS), "train.path_batch"),
    ),
    _Rule(
        f"task.recipe is edges_only, which has the metrics {' and '.join(EDGE_MEASURES)} alone",
        lambda run: _trains_edges_alone(run) and _stops_by_paths(run),
        ("train.stop_when",),
    ),
    _Rule(
        "graph.kind is path_star",  # whose leaves have a subtree each
        lambda run: isinstance(run.graph, PathStar) and isinstance(run.task, InWeights),
        ("task.split",),
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
        "model.tie is true",
        lambda run: isinstance(run.model, Recall) and run.model.tie,
        ("model.attribute_std",),
    ),
    _Rule(
        "optim.warmup_steps is train.steps or more",
        _warms_up_to_the_end,
        ("optim.schedule", "optim.final_lr_fraction"),
    ),
    _Rule(
        "optim.schedule is constant",
        lambda run: run.optim.schedule == "constant",
        ("optim.final_lr_fraction",),
    ),
)


def _endless_warmup(run: RunConfig) -> str | None:
    if not _warms_up_to_the_end(run):
        return None
    return f"the warm-up takes all {run.train.steps:,} steps, and optim.lr is never reached"


def _too_many(batch: int | str, count: int, what: str) -> str | None:
    if isinstance(batch, str) or batch <= count:
        return None
    return f"{batch:,} are more than the {count:,} {what} that there are; `all` takes each once"


def _too_many_edges(run: RunConfig) -> str | None:
    if run.graph is None or isinstance(run.graph, FileGraph) or not isinstance(run.task, InWeights):
        return None
    count = run.graph.edge_count * (2 if run.task.edges == "both" else 1)
    count += run.graph.node_count * run.task.self_edges
    return _too_many(run.train.edge_batch, count, "edge examples")


def _too_many_paths(run: RunConfig) -> str | None:
    graph, task = run.graph, run.task
    if not isinstance(graph, PathStar | TreeStar) or not isinstance(task, InWeights):
        return None
    units = split_units(graph, task)
    held_out = held_out_count(units, task.test_fraction) * (graph.path_count // units)
    return _too_many(run.train.path_batch, graph.path_count - held_out, "paths to train on")


def _too_many_facts(run: RunConfig) -> str | None:
    if not isinstance(run.task, Facts):
        return None
    trained = run.task.query_count - run.task.test_count
    return _too_many(run.train.fact_batch, trained, "queries to train on")


# What is wrong with a value, for each field, if anything is.
_DOUBTS: dict[str, Callable[[RunConfig], str | None]] = {
    "optim.warmup_steps": _endless_warmup,
    "train.edge_batch": _too_many_edges,
    "train.path_batch": _too_many_paths,
    "train.fact_batch": _too_many_facts,
}


class Idle:
    """What was written for nothing, gathered over the configurations of a grid.

    `twins` counts configurations that differ from an earlier one in nothing that they read.
    """

    def __init__(self) -> None:
        self.twins = 0
        self._read: set[tuple[Mark, str]] = set()
        self._told: dict[tuple[Mark, str], str] = {}
        self._known: set[str] = set()

    def add(self, run: RunConfig, identity: str, settings: Settings) -> None:
        """Look at a distinct configuration, its run id, and the values written for it."""
        unread = {path: rule.where for rule in _RULES if rule.applies(run) for path in rule.fields}
        written = [
            path for path in unread if path in settings and _value(run, path) != _default(run, path)
        ]
        found = {path: doubt for path, of in _DOUBTS.items() if (doubt := of(run))}
        found |= {path: f"changes nothing where {unread[path]}; leave it out" for path in written}
        self._told |= {(settings[path].mark, path): text for path, text in found.items()}
        self._read |= {
            (node.mark, path)
            for path, node in settings.items()
            if path not in unread and path not in found
        }
        bare = run_id(_without(run, written)) if written else identity
        self.twins += bare in self._known
        self._known.add(bare)

    def warnings(self) -> list[str]:
        """A line for each written value that is of use to no configuration."""
        return [
            f"{mark}: {path}: {text}"
            for (mark, path), text in self._told.items()
            if (mark, path) not in self._read
        ]


def _value(run: RunConfig, path: str) -> Any:
    section, _, name = path.partition(".")
    return getattr(getattr(run, section), name)


def _default(run: RunConfig, path: str) -> Any:
    return default_of(path, kind_of(type(getattr(run, path.partition(".")[0]))))


def _without(run: RunConfig, paths: Iterable[str]) -> RunConfig:
    """The run with these fields at their defaults."""
    for path in paths:
        section, _, name = path.partition(".")
        changed = getattr(run, section).model_copy(update={name: _default(run, path)})
        run = run.model_copy(update={section: changed})
    return run
