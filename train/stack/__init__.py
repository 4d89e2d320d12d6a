"""One stack, from the configurations of its runs to the tensors of its pack."""

from geomem.train.stack.loop import Interrupted, Progress, train_stack
from geomem.train.stack.result import StackResult

__all__ = ["Interrupted", "Progress", "StackResult", "train_stack"]
