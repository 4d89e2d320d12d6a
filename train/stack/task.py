"""What a task is to a stack: examples for every step, measures, and tensors for the pack."""

from typing import Any, Protocol

from numpy.typing import NDArray
from torch import Tensor

from geomem.models import Model
from geomem.train.stack.batches import Part
from geomem.train.stack.members import Stage


class Task(Protocol):
    """All that the members of a stack learn from, on the stack's device.

    vocab: number of tokens; context: tokens of the longest sequence.
    """

    @property
    def vocab(self) -> int: ...

    @property
    def context(self) -> int: ...

    def known_tokens(self, vocab: int) -> Tensor | None:
        """Return how many of a model's `vocab` tokens each member knows, int64 [K]; None: all."""
        ...

    def enter(self, stage: Stage) -> None:
        """Prepare for the steps of a stage."""
        ...

    def prepare(self, step: int, count: int) -> None:
        """Have ready on the device what steps step, ..., step + count - 1 draw from.

        Steps count from the start of the stage; AT_ONCE of them at most.
        """
        ...

    def parts(self, step: int | Tensor) -> list[Part]:
        """Return what a step trains on.

        A step that stands on the device, int64 [], has to be prepared; nothing then waits for it.
        """
        ...

    def evaluate(self, model: Model, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the measures of every member, float32 [K] or [K, ...]."""
        ...

    def embedding(self, table: Tensor) -> Tensor:
        """Rows of a table [K, V, m] that stand for what is known, [K, n, m], in canonical order."""
        ...

    def tensors(self, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what the pack holds of the task and its embeddings, members first."""
        ...

    def labels(self) -> dict[str, Tensor]:
        """Return what a reader of the parameters needs beside them, members first."""
        ...

    def shared(self) -> dict[str, NDArray[Any]]:
        """Return what the pack holds once for all members."""
        ...

    def metadata(self) -> dict[str, Any]:
        """Return what the pack's metadata says of the task."""
        ...
