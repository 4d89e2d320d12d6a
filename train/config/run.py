"""One run: a configuration with one seed, and the identity that follows from it."""

import hashlib
from typing import Any

from pydantic import Field, model_validator

from geomem.train.canonical import canonical_json
from geomem.train.config.base import Section
from geomem.train.config.fitting import check_fit
from geomem.train.config.graph import GraphConfig, file_fields
from geomem.train.config.model import ModelConfig
from geomem.train.config.task import InWeights, TaskConfig
from geomem.train.config.training import Optim, Train


class RunConfig(Section):
    """Everything that decides the result of a run."""

    graph: GraphConfig | None = Field(default=None, discriminator="kind")
    """None where the task is of facts, and nowhere else."""
    task: TaskConfig = InWeights()
    model: ModelConfig
    optim: Optim
    train: Train
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of the labels, the initialisation, the order of the data and the dropout."""

    @model_validator(mode="before")
    @classmethod
    def _graph_is_wanted(cls, data: Any) -> Any:
        """Without a graph, one without a kind, which is refused with the kinds that there are."""
        if not isinstance(data, dict) or data.get("graph") is not None:
            return data
        task = data.get("task")
        kind = task.get("kind") if isinstance(task, dict) else getattr(task, "kind", None)
        return data if kind == "facts" else {**data, "graph": {}}

    @model_validator(mode="after")
    def _parts_fit(self) -> "RunConfig":
        check_fit(self.graph, self.task, self.model, self.optim, self.train)
        return self


def read_config(config: dict[str, Any]) -> RunConfig:
    """The run of a configuration as plans and packs have it. Raises ValueError."""
    return RunConfig.model_validate_json(canonical_json(config))


def run_id(run: RunConfig) -> str:
    """SHA-256 (64 hex digits) of the run's canonical JSON, all defaults filled in.

    The places of a graph's files do not count; their content does.
    """
    payload = run.model_dump(mode="json")
    for name in file_fields(run.graph):
        payload["graph"].pop(name)
    return hashlib.sha256(canonical_json(payload).encode()).hexdigest()
