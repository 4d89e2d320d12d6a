"""All trainable parameters of a stack in one tensor, and what the optimiser keeps beside them."""

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from geomem.models import Parametric, draw

# Elements. Parameters start at 128 bytes or a multiple of it, so that kernels read them where they
# are; the elements between them are zero and stay so.
ALIGN = 64


class Tables:
    """Parameters and moments of some members under their names, as views.

    params, first, second: name -> [W, *shape]. Parameters that are not trained stand in `params`
    alone. Without moments, first and second are empty.
    """

    def __init__(
        self,
        order: Sequence[str],
        trained: Mapping[str, Tensor],
        frozen: Mapping[str, Tensor],
        first: Mapping[str, Tensor],
        second: Mapping[str, Tensor],
    ) -> None:
        self._trained = {name: t.detach().requires_grad_() for name, t in trained.items()}
        self._frozen, self._order = frozen, order
        everything = {**self._trained, **frozen}
        self.params = {name: everything[name] for name in order}
        self.first, self.second = first, second
        self._moment_rows = _rows(first), _rows(second)

    def trained(self) -> dict[str, Tensor]:
        """Return the parameters that have gradients, by their names."""
        return self._trained

    def part(self, members: slice) -> "Tables":
        """Return the same of some of the members."""

        def of(tables: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: t[members] for name, t in tables.items()}

        moments = of(self.first), of(self.second)
        return Tables(self._order, of(self._trained), of(self._frozen), *moments)

    def rows(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return parameters and moments as `adamw_step` takes them, [W, P] each."""
        # Not kept for the parameters: a compiled step writes to them as it reads them, by one view.
        return _rows(self._trained), *self._moment_rows


class Arena(Tables):
    """Parameters and moments of a stack under their names.

    The members of a parameter stand side by side, [K, *shape] without gaps, as batched products
    want them; what `Tables` shows are the first W of all K members. W is K until `keep` leaves
    some members behind.
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
        there = {name: t.to(device) for name, t in settings.items()}
        starts = {name: draw(name, p, seeds, there, device) for name, p in found.items()}
        self._names = list(found)
        self._never_trained = {name: t for name, t in starts.items() if not found[name].trainable}
        self._places: dict[str, tuple[int, tuple[int, ...]]] = {}
        size = 0
        for name, start in starts.items():
            if name not in self._never_trained:
                self._places[name] = (size, tuple(start.shape))
                size += -(-start.numel() // ALIGN) * ALIGN
        dtype = next(iter(starts.values())).dtype
        self._data = torch.zeros(size, dtype=dtype, device=device)
        for name, rows in self._views(self._data).items():
            rows.copy_(starts[name])
        self._moments = [torch.zeros_like(self._data) for _ in range(2 * moments)]
        self._expose(len(seeds))

    def _views(self, flat: Tensor) -> dict[str, Tensor]:
        return {
            name: flat[at : at + prod(shape)].view(shape)
            for name, (at, shape) in self._places.items()
        }

    def _expose(self, width: int) -> None:
        def first_rows(flat: Tensor) -> dict[str, Tensor]:
            return {name: rows[:width] for name, rows in self._views(flat).items()}

        empty: list[dict[str, Tensor]] = [{}, {}]
        first, second = [first_rows(flat) for flat in self._moments] or empty
        frozen = {name: t[:width] for name, t in self._never_trained.items()}
        super().__init__(self._names, first_rows(self._data), frozen, first, second)

    def whole(self) -> dict[str, Tensor]:
        """Return the parameters of all K members, in the order of their places."""
        return self._never_trained | self._views(self._data)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs, without what is never trained."""
        return dict(zip(("data", "first", "second"), [self._data, *self._moments], strict=False))

    def keep(self, order: Tensor, width: int) -> None:
        """Put all K members in a new order, int64 [K], and go on with the first `width`."""
        with torch.no_grad():
            for flat in (self._data, *self._moments):
                for rows in self._views(flat).values():
                    rows.copy_(rows[order])
            for rows in self._never_trained.values():
                rows.copy_(rows[order])
        self._expose(width)

    def reset_moments(self) -> None:
        """Forget the optimiser's state, as at the start of a stage."""
        for flat in self._moments:
            flat.zero_()


def _rows(tensors: Mapping[str, Tensor]) -> list[Tensor]:
    return [t.detach().flatten(1) for t in tensors.values()]
