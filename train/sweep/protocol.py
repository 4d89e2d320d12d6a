"""What driver and worker say to each other: one JSON object per line."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Job:
    """Driver to worker: train a stack and write its pack. An empty line means: stop soon.

    Without a place for a checkpoint, what is stopped is lost.
    """

    stack: str
    attempt: int
    runs: list[str]
    configs: list[dict[str, Any]]
    pack: str
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
    """How far the stack is; the loss is None while there is none."""

    member_steps: int
    loss: float | None


@dataclass(frozen=True)
class Done:
    """The pack is durable; `event` is the journal line that commits it."""

    event: dict[str, Any]


@dataclass(frozen=True)
class Stopped:
    """The checkpoint is written, as the driver asked."""


@dataclass(frozen=True)
class Failure:
    """The stack cannot be trained; `cause` is one line for the user, the log has the rest."""

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
        return kind(**{field.name: body[field.name] for field in fields(kind)})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a message: {line[:80]!r}") from error
