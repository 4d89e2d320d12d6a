"""From a stack's configuration to its task and its model."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from geomem.models import FeedForward, Mamba, Model, Node2Vec, Recall, Transformer
from geomem.train.config import model as config
from geomem.train.config.run import RunConfig
from geomem.train.config.task import Facts
from geomem.train.stack.facts import FactsTask
from geomem.train.stack.in_context import InContextTask
from geomem.train.stack.in_weights import InWeightsTask
from geomem.train.stack.task import Task

_TASKS: dict[str, Callable[[Sequence[RunConfig], torch.device], Task]] = {
    "in_weights": InWeightsTask,
    "in_context": InContextTask,
    "facts": FactsTask,
}


def build_task(runs: Sequence[RunConfig], device: torch.device) -> Task:
    """Return what the runs of a stack learn from."""
    return _TASKS[runs[0].task.kind](runs, device)


def build_model(run: RunConfig, task: Task) -> Model | Node2Vec:
    """Return the model that every member of the run's stack has."""
    if isinstance(run.model, config.Node2Vec):
        dtype = getattr(torch, run.model.dtype)
        return Node2Vec(task.vocab, run.model.width, run.model.tie, dtype)
    structure = run.model.model_dump(exclude={"kind", "dropout", *config.INIT_FIELDS})
    if isinstance(run.model, config.Transformer):
        return Transformer(vocab=task.vocab, context=task.context, **structure)
    if isinstance(run.model, config.Mamba):
        structure.pop("dt_rank")
        return Mamba(vocab=task.vocab, rank=run.model.rank, **structure)
    if isinstance(run.model, config.Recall):
        assert isinstance(run.task, Facts)
        counts = run.task.subjects, run.task.relations, run.task.attribute_count
        return Recall(*counts, task.context, **structure)
    return FeedForward(vocab=task.vocab, **structure)


def initial_settings(runs: Sequence[RunConfig]) -> Mapping[str, Tensor]:
    """Return what the initialisation varies per member, float64 [K] each."""
    names = [name for name in config.INIT_FIELDS if hasattr(runs[0].model, name)]
    return {
        name: torch.tensor([getattr(run.model, name) for run in runs], dtype=torch.float64)
        for name in names
    }
