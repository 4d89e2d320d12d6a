"""Stacks, from the configurations of their runs to the tensors of their packs."""

from geomem.train.stack.loop import Interrupted, Progress, train_stack, train_stacks
from geomem.train.stack.result import StackResult

__all__ = ["Interrupted", "Progress", "StackResult", "train_stack", "train_stacks"]
