"""Whether the sections of a run fit together: what no section can see alone."""

from typing import Any

from pydantic_core import PydanticCustomError

from geomem.train.config.graph import EdgeList, GraphConfig, PathStar, Text, TreeStar
from geomem.train.config.model import FeedForward, ModelConfig, Node2Vec, Recall
from geomem.train.config.task import Facts, InContext, InWeights, TaskConfig, held_out_count
from geomem.train.config.training import Optim, Train

MAX_CONTEXT = 65_536


def check_fit(
    graph: GraphConfig | None, task: TaskConfig, model: ModelConfig, optim: Optim, train: Train
) -> None:
    """Raise PydanticCustomError, with the field and a remedy, for sections that do not fit.

    A graph is missing for facts alone.
    """
    if isinstance(task, Facts):
        _check_facts(graph, train)
    elif isinstance(task, InContext):
        _check_in_context(graph, task, train)
    else:
        _check_paths(graph, task)
    if not isinstance(task, Facts) and train.fact_batch != "all":
        _refuse("train.fact_batch", "fact_batch belongs to tasks of kind facts; leave it out")
    _check_model(task, model)
    if train.precision != "fp32" and isinstance(model, Node2Vec):
        _refuse("train.precision", "node2vec is trained in full precision; leave it out")
    _check_target(task)
    _check_stages(task, optim, train)
    _check_stop(task, train)
    if isinstance(model, Node2Vec):
        _check_ascent(optim, train)


def _refuse(field: str, message: str, **context: Any) -> None:
    raise PydanticCustomError("mismatch", message, {"field": field, **context})


def _check_facts(graph: GraphConfig | None, train: Train) -> None:
    if graph is not None:
        _refuse("graph.kind", "a task of kind facts has no graph; leave it out")
    for name in ("edge_batch", "path_batch"):
        if getattr(train, name) != "all":
            _refuse(f"train.{name}", "a task of kind facts has fact_batch alone; leave it out")


def _check_paths(graph: GraphConfig | None, task: InWeights) -> None:
    assert graph is not None
    _check_given(graph, task)
    if task.recipe == "edges_only":
        return
    if isinstance(graph, Text):
        if graph.train_file is None:
            _refuse_paths(task, "a text graph without train_file and test_file", "name these files")
        return
    if isinstance(graph, EdgeList) or graph.path_count == 0:
        _refuse_paths(task, f"a graph of kind {graph.kind}", "use path_star or tree_star")
        return
    assert isinstance(graph, PathStar | TreeStar)
    total = split_units(graph, task)
    held_out = held_out_count(total, task.test_fraction)
    if held_out == 0 or held_out == total:
        _refuse(
            "task.test_fraction",
            "{fraction} of {total} {what} keeps {held_out} for the test and {rest} for the "
            "training, and both need one at least; take a larger graph or another fraction",
            fraction=task.test_fraction,
            total=total,
            what="leaves" if task.split == "leaf" else "subtrees",
            held_out=held_out,
            rest=total - held_out,
        )


def split_units(graph: PathStar | TreeStar, task: InWeights) -> int:
    """The leaves or the subtrees that are divided into those for the training and for the test."""
    return graph.path_count if task.split == "leaf" else graph.arms


def _refuse_paths(task: InWeights, graph: str, remedy: str) -> None:
    _refuse(
        "task.recipe",
        "recipe {recipe} needs paths, and {graph} has none; {remedy}, or recipe edges_only",
        recipe=task.recipe,
        graph=graph,
        remedy=remedy,
    )


# What the files of a text graph decide, with the only value that it can take.
_BY_FILES = {"test_fraction": 0.25, "split": "leaf"}


def _check_given(graph: GraphConfig, task: InWeights) -> None:
    """Edges and split of a text graph are those of its files."""
    if not isinstance(graph, Text):
        if task.edges == "given":
            _refuse("task.edges", "edges given belongs to a graph of kind text; leave it out")
        return
    if task.edges == "given" and task.self_edges:
        _refuse("task.self_edges", "edges given is what the file has; leave self_edges out")
    for name, only in _BY_FILES.items():
        if getattr(task, name) != only:
            text = "the test paths of a text graph are those of its test_file; leave {name} out"
            _refuse(f"task.{name}", text, name=name)


def _check_in_context(graph: GraphConfig | None, task: InContext, train: Train) -> None:
    if not isinstance(graph, PathStar):
        _refuse(
            "graph.kind",
            "in_context draws path-stars and takes their size from the graph, and this graph is "
            "of kind {kind}; use path_star with arms and length",
            kind=getattr(graph, "kind", "none"),
        )
        return
    if task.labels is not None and task.labels < graph.node_count:
        _refuse(
            "task.labels",
            "{labels} labels cannot name the {nodes} nodes of a prompt; take {nodes} or more",
            labels=task.labels,
            nodes=graph.node_count,
        )
    if 3 * graph.edge_count + graph.length + task.pauses > MAX_CONTEXT:
        _refuse(
            "graph.arms",
            "a prompt of {edges} edges is longer than the limit of {most} tokens; take fewer arms",
            edges=graph.edge_count,
            most=MAX_CONTEXT,
        )
    if train.edge_batch != "all":
        _refuse("train.edge_batch", "in_context has its edges in the prompts alone; leave it out")
    if train.path_batch == "all":
        _refuse(
            "train.path_batch",
            "in_context draws fresh examples for every step and has no `all`; "
            "say how many, for example 128",
        )


# Why a model of some kind can learn edges alone.
_SHORT_SIGHTED = {
    Node2Vec: "node2vec trains on edges alone",
    FeedForward: "a feed_forward model sees one token at a time and can learn edges alone",
}


def _check_model(task: TaskConfig, model: ModelConfig) -> None:
    if isinstance(model, Recall):
        _check_recall(task, model)
        return
    reason = _SHORT_SIGHTED.get(type(model))
    if reason is None or task.curriculum == (frozenset({"edges"}),):
        return
    recipe = "recipe edges_only, or " if isinstance(task, InWeights) else ""
    _refuse(
        "model.kind",
        "{reason}; use {recipe}another model",
        reason=reason,
        recipe=recipe,
    )


def _check_recall(task: TaskConfig, model: Recall) -> None:
    if not isinstance(task, Facts):
        _refuse("model.kind", "recall learns facts alone; use another model, or task.kind facts")
    elif model.tie and task.attributes == "disjoint":
        _refuse("model.tie", "with tie attributes are subjects, and disjoint ones are not")


def _check_target(task: TaskConfig) -> None:
    """What makes no difference is refused, lest two runs be one under two names."""
    if isinstance(task, Facts) or task.target != "hardest_token":
        return
    for name in ("reverse_paths", "teacherless"):
        if getattr(task, name):
            text = "the hardest token is the only target, which {name} does not change; "
            _refuse(f"task.{name}", text + "leave it out, or use target full_path", name=name)


def _check_stages(task: TaskConfig, optim: Optim, train: Train) -> None:
    staged, edge_steps = len(task.curriculum) > 1, train.edge_steps
    own = {
        "train.edge_steps": edge_steps,
        "optim.edge_lr": optim.edge_lr,
        "optim.edge_warmup_steps": optim.edge_warmup_steps or None,
    }
    for field, value in own.items():
        if not staged and value is not None:
            name = field.split(".")[1]
            _refuse(field, "{name} belongs to recipe staged; leave it out", name=name)
    if staged and edge_steps is None:
        _refuse("train.edge_steps", "recipe staged needs train.edge_steps, the edge stage's length")
    if staged and edge_steps is not None and edge_steps >= train.steps:
        _refuse(
            "train.edge_steps",
            "edge_steps {edge_steps} leaves none of the {steps} steps to the paths",
            edge_steps=edge_steps,
            steps=train.steps,
        )


def _check_stop(task: TaskConfig, train: Train) -> None:
    rule = train.stop_when
    if rule is not None and rule.metric not in task.measures:
        _refuse(
            "train.stop_when.metric",
            "this task is not measured by {metric}; watch one of {measures}",
            metric=rule.metric,
            measures=", ".join(task.measures),
        )


# AdamW's and its gradient's: a plain ascent has none of them. With the only value it can take.
_NO_ADAMW = {
    "weight_decay": 0.0,
    "betas": (0.9, 0.999),
    "eps": 1e-8,
    "clip": None,
    "edge_lr": None,
    "edge_warmup_steps": 0,
}


def _check_ascent(optim: Optim, train: Train) -> None:
    for name, only in _NO_ADAMW.items():
        if getattr(optim, name) != only:
            remedy = "set it to 0" if name == "weight_decay" else "leave it out"
            _refuse(
                f"optim.{name}",
                "node2vec climbs its objective with optim.lr alone and has no {name}; {remedy}",
                name=name,
                remedy=remedy,
            )
    if train.edge_batch != "all":
        _refuse("train.edge_batch", "node2vec takes all edges in each step; leave it out")
