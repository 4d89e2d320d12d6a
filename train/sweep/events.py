"""The events of a journal. A run's and a stack's state follows from them and from the plan."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
StackId = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PackName = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}-[0-9a-f]{8}\.safetensors$")]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    time: float = 0.0
    """Seconds since 1970."""


class Outcome(BaseModel):
    """What became of one member."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: RunId
    status: Literal["done", "diverged"]
    steps: int


class Group(BaseModel):
    """A stack made after the plan: it replaces the runs' places there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: StackId
    attempt: int
    runs: tuple[RunId, ...] = Field(min_length=1)


class Committed(_Event):
    """A pack that is whole and durable. Nothing else says that runs are done."""

    event: Literal["committed"] = "committed"
    stack: StackId
    attempt: int
    pack: PackName
    size: int
    digest: Sha256
    sha256: dict[str, Sha256]
    members: tuple[Outcome, ...]
    wall_seconds: float
    member_steps: int


class Failed(_Event):
    """A stack that is set aside. `cause` is one line; `log` is relative to the directory."""

    event: Literal["failed"] = "failed"
    stack: StackId
    cause: str
    log: str
    tail: str = ""


class Split(_Event):
    """A stack that did not fit the memory; no stack of its key gets more than `members`."""

    event: Literal["split"] = "split"
    stack: StackId
    key: str
    members: int = Field(ge=1)
    into: tuple[Group, ...] = Field(min_length=1)


class Queued(_Event):
    """Runs to train (again) in new stacks; `why` is for the reader."""

    event: Literal["queued"] = "queued"
    why: str
    groups: tuple[Group, ...] = Field(min_length=1)


class Damaged(_Event):
    """A committed pack that no longer counts; `kept` is where its bytes went, if there are any."""

    event: Literal["damaged"] = "damaged"
    stack: StackId
    pack: PackName
    problem: str
    kept: str | None


Event = Annotated[
    Committed | Failed | Split | Queued | Damaged,
    Field(discriminator="event"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
