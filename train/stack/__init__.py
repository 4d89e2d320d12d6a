"""Stacks, from the configurations of their runs to the tensors of their packs."""

from geomem.train.stack.loop import Interrupted, train_stack, train_stacks
from geomem.train.stack.result import StackResult
from geomem.train.stack.trainer import Progress

__all__ = ["Interrupted", "Progress", "StackResult", "train_stack", "train_stacks"]
