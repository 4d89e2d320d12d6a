"""All trainable parameters of a stack in one tensor [K, P], so that one optimiser call serves."""

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from geomem.models import Parametric, draw

# Elements. Rows and parameters start at 128 bytes or a multiple of it, so that kernels read them
# where they are; the elements between them are zero and stay so.
ALIGN = 64


class Arena:
    """Parameters, gradients and moments of a stack, and views of them under their names.

    data, gradients, first, second: [W, P], the first W rows of all K; params, slots: views of data
    and of gradients. Parameters that are not trained stand in `params` too, but not in the arena.
    W is K until `keep` leaves some rows behind. Without moments, first and second are empty.
    """

    def __init__(
        self,
        model: Parametric,
        seeds: Sequence[int],
        settings: Mapping[str, Tensor],
        device: torch.device,
        moments: bool = True,
    ) -> None:
        found = model.parameters()
        starts = {name: draw(name, p, seeds, settings).to(device) for name, p in found.items()}
        self._frozen = {name: t for name, t in starts.items() if not found[name].trainable}
        self._shapes = {name: p.shape for name, p in found.items()}
        self._columns: dict[str, slice] = {}
        size = 0
        for name in starts:
            if name not in self._frozen:
                self._columns[name] = slice(size, size + prod(found[name].shape))
                size += -(-prod(found[name].shape) // ALIGN) * ALIGN
        K, dtype = len(seeds), next(iter(starts.values())).dtype
        self._data = torch.zeros(K, size, dtype=dtype, device=device)
        for name, columns in self._columns.items():
            self._data[:, columns] = starts[name].flatten(1)
        self._gradients = torch.zeros_like(self._data)
        self._first, self._second = (
            torch.zeros(K, size if moments else 0, dtype=dtype, device=device) for _ in range(2)
        )
        self._expose(K)

    def _expose(self, width: int) -> None:
        self.data, self.gradients = self._data[:width], self._gradients[:width]
        self.first, self.second = self._first[:width], self._second[:width]
        self.slots = self._views(self.gradients)
        trained = {name: t.requires_grad_() for name, t in self._views(self.data).items()}
        self._leaves = list(trained.values())
        frozen = {name: t[:width] for name, t in self._frozen.items()}
        self.params = {name: (trained | frozen)[name] for name in self._shapes}

    def _views(self, rows: Tensor) -> dict[str, Tensor]:
        return {
            name: rows[:, columns].view(-1, *self._shapes[name])
            for name, columns in self._columns.items()
        }

    def whole(self) -> dict[str, Tensor]:
        """Return the parameters of all K rows, in the order of the rows."""
        return self._frozen | self._views(self._data)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs of all K rows, without what is never trained."""
        return {"data": self._data, "first": self._first, "second": self._second}

    def keep(self, order: Tensor, width: int) -> None:
        """Put all K rows in a new order, int64 [K], and go on with the first `width` of them."""
        with torch.no_grad():
            for rows in (self._data, self._first, self._second, *self._frozen.values()):
                rows.copy_(rows[order])
        self._expose(width)

    def take_gradients(self, loss: Tensor) -> None:
        """Fill `gradients` with those of a scalar loss; parameters it does not touch get zero."""
        found = torch.autograd.grad(loss, self._leaves, allow_unused=True, materialize_grads=True)
        torch._foreach_copy_(list(self.slots.values()), list(found))

    def reset_moments(self) -> None:
        """Forget the optimiser's state, as at the start of a stage."""
        self.first.zero_()
        self.second.zero_()
