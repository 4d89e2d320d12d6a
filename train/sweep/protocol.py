"""What driver and worker say to each other: one JSON object per line."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class StackJob:
    """One stack of a job, and where its pack goes."""

    stack: str
    attempt: int
    runs: list[str]
    configs: list[dict[str, Any]]
    pack: str


@dataclass(frozen=True)
class Job:
    """Driver to worker: train stacks as one, write a pack each. An empty line means: stop soon.

    Without a place for a checkpoint, what is stopped is lost.
    """

    stacks: list[StackJob]
    checkpoint: str | None
    checkpoint_seconds: float
    compile: bool
    parameters: bool
    device: str
    threads: int


@dataclass(frozen=True)
class Ready:
    """The worker has imported what it needs."""


@dataclass(frozen=True)
class Step:
    """How far the job is; the loss is None while there is none."""

    member_steps: int
    loss: float | None


@dataclass(frozen=True)
class Done:
    """The packs are durable; `events` are the journal lines that commit them, stack by stack."""

    events: list[dict[str, Any]]


@dataclass(frozen=True)
class Stopped:
    """The checkpoint is written, as the driver asked."""


@dataclass(frozen=True)
class Failure:
    """The job cannot be done; `cause` is one line for the user, the log has the rest."""

    kind: Literal["error", "memory", "disk"]
    cause: str


Message = Job | Ready | Step | Done | Stopped | Failure
_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Job, Ready, Step, Done, Stopped, Failure)
}


def encode(message: Message) -> bytes:
    """One line."""
    body = {"message": type(message).__name__, **asdict(message)}
    return json.dumps(body, allow_nan=False).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Raises ValueError for anything that `encode` does not write."""
    try:
        body = json.loads(line)
        kind = _KINDS[body.pop("message")]
        if kind is Job:
            body["stacks"] = [StackJob(**stack) for stack in body["stacks"]]
        return kind(**{field.name: body[field.name] for field in fields(kind)})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a message: {line[:80]!r}") from error
