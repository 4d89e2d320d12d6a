"""How a run is optimised, for how long, and when it is looked at."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from geomem.train.config.base import Section

MAX_STEPS = 10_000_000
Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[
    tuple[Beta, Beta], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)
]


class Optim(Section):
    """AdamW with its schedule; each run of a stack has its own."""

    lr: float = Field(gt=0)
    """Peak learning rate."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled, on every parameter."""
    betas: Betas = (0.9, 0.999)
    """Decay of the two moments."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of the second moment."""
    warmup_steps: int = Field(default=0, ge=0, le=MAX_STEPS)
    """Steps of linear warm-up to the peak."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """After the warm-up."""
    final_lr_fraction: float = Field(default=0.1, ge=0, le=1)
    """Where the cosine ends, as a share of the peak."""
    clip: float | None = Field(default=None, gt=0)
    """Largest norm of the gradient of a run; null for none."""
    edge_lr: float | None = Field(default=None, gt=0)
    """Peak learning rate of the edge stage of a staged recipe; null: the same as lr."""
    edge_warmup_steps: int = Field(default=0, ge=0, le=MAX_STEPS)
    """Warm-up of the edge stage."""


StopMetric = Literal[
    "exact_match",
    "first_hop",
    "edge_accuracy",
    "edge_recovery",
    "train_exact_match",
    "accuracy",
    "held_out_accuracy",
]


class StopWhen(Section):
    """A run stops at the first evaluation where the metric reaches the value."""

    metric: StopMetric
    """Which of the run's metrics is watched."""
    reaches: float = Field(gt=0, le=1)
    """Value at which the run is finished."""


Batch = Literal["all"] | Annotated[int, Field(ge=1, le=10_000_000)]


class Train(Section):
    """Length of the training, batches, and how often it is measured."""

    steps: int = Field(ge=1, le=MAX_STEPS)
    """Optimiser steps, those of the edge stage included."""
    edge_steps: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    """Steps of the edge stage; for the staged recipe only."""
    edge_batch: Batch = "all"
    """Edge examples per step, or all of them."""
    path_batch: Batch = "all"
    """Path examples per step, or all of them."""
    fact_batch: Batch = "all"
    """Queries of facts per step, or all of them."""
    eval_every: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    """Steps between evaluations; null: about twenty in all. The last step is always evaluated."""
    history_every: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    """Steps between snapshots of the embeddings (step 0 and the last included); null for none."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: matrix products in bfloat16; parameters, norms, sums and measures stay in float32."""
    stop_when: StopWhen | None = None
    """Early stop; null to train all steps."""
    divergence_loss: float = Field(default=1e4, gt=0)
    """A run whose loss exceeds this, in nats, or is not finite, is marked diverged and frozen."""
