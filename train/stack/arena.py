"""All trainable parameters of a stack in one tensor [K, P], so that one optimiser call serves."""

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from geomem.models import Parametric, draw


class Arena:
    """Parameters, gradients and moments; `params` are views of them under their names.

    data, gradients, first, second: [K, P], in the type of the parameters; `slots` are views of the
    gradients. Parameters that are not trained stand in `params` too, but not in the arena.
    """

    def __init__(
        self,
        model: Parametric,
        seeds: Sequence[int],
        settings: Mapping[str, Tensor],
        device: torch.device,
    ) -> None:
        found = model.parameters()
        starts = {name: draw(name, p, seeds, settings).to(device) for name, p in found.items()}
        trained = {name: t for name, t in starts.items() if found[name].trainable}
        size = sum(prod(found[name].shape) for name in trained)
        dtype = next(iter(starts.values())).dtype
        self.data = torch.empty(len(seeds), size, dtype=dtype, device=device)
        self.gradients, self.first, self.second = (torch.zeros_like(self.data) for _ in range(3))
        self.params: dict[str, Tensor] = {}
        self._leaves: list[Tensor] = []
        self.slots: dict[str, Tensor] = {}
        at = 0
        for name, start in starts.items():
            if name not in trained:
                self.params[name] = start
                continue
            columns = slice(at, at + prod(found[name].shape))
            at = columns.stop
            self.data[:, columns] = start.flatten(1)
            leaf = self.data[:, columns].view(start.shape).requires_grad_()
            self.params[name] = leaf
            self._leaves.append(leaf)
            self.slots[name] = self.gradients[:, columns].view(start.shape)

    def take_gradients(self, loss: Tensor) -> None:
        """Fill `gradients` with those of a scalar loss; parameters it does not touch get zero."""
        found = torch.autograd.grad(loss, self._leaves, allow_unused=True, materialize_grads=True)
        for slot, gradient in zip(self.slots.values(), found, strict=True):
            slot.copy_(gradient)

    def reset_moments(self) -> None:
        """Forget the optimiser's state, as at the start of a stage."""
        self.first.zero_()
        self.second.zero_()
