"""How a sweep is carried out. None of it changes a result, so none of it is part of a run."""

from typing import Annotated, Literal

from pydantic import Field

from geomem.train.config.base import Section

Count = Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)]


class Execution(Section):
    """Devices, processes, retries and what is kept; no part of a run's identity."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto: CUDA when there is one."""
    stack: Count = "auto"
    """Members per stack at most; auto: as many as memory and throughput allow."""
    share_sizes: Literal["auto", "never"] = "auto"
    """Train stacks of graphs of different sizes as one; auto: where that is estimated faster."""
    workers: Count = "auto"
    """Processes per node; auto: one per GPU, or per core."""
    threads: Count = "auto"
    """CPU threads of each process; auto: one."""
    tuning: str | None = Field(default=None, min_length=1)
    """File of 'geomem-train tune' that `stack`, `workers` and `threads` of auto go by."""
    retries: int = Field(default=2, ge=0, le=100)
    """How often a stack whose process died is tried again."""
    checkpoint_seconds: float = Field(default=300, gt=0, le=1e9)
    """Seconds between checkpoints of a running stack."""
    compile: bool = False
    """Train by a program of torch.compile: faster steps, after one or two minutes per stack."""
    parameters: bool = False
    """Keep every parameter in the packs, and not the embeddings alone."""
