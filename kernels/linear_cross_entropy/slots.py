"""Targets as slots of their rows, for the CPU: what belongs to a row then needs no look-up.

K members · N rows · R slots of a row · M entries of a list
"""

from collections.abc import MutableMapping
from functools import lru_cache
from typing import NamedTuple
from weakref import ReferenceType, ref

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from geomem.kernels.linear_cross_entropy.problem import Problem, acc_dtype

MOST = 8  # slots of a row; beyond, one node of many neighbours would cost every row as much


class Several(NamedTuple):
    """Beside the slots of rows of several or weighted targets, [K, N, R], in the sums' dtype.

    weight: 0 in a slot too many; counted: 1, or 0 in a slot too many; lack: what a target should
    leave to the others of its row, 1 - weight / (sum of weights of the row).
    """

    weight: Tensor
    counted: Tensor
    lack: Tensor


class Slots(NamedTuple):
    """token: int64 [K, N, R]; a slot too many repeats the row's first, a row without has token 0.

    several is None if R = 1 and every weight 1. mass: sum of a member's weights, [K] or [];
    share: the part that each row has in it, [K, N, 1] or [1, 1, 1].
    """

    token: Tensor
    several: Several | None
    share: Tensor
    mass: Tensor

    def part(self, k: slice, n: slice) -> "Slots":
        """Return the slots of some members' rows; their mass stays that of all."""
        several = None if self.several is None else Several(*(t[k, n] for t in self.several))
        share = self.share.expand(*self.token.shape[:2], 1)[k, n]
        return Slots(self.token[k, n], several, share, self.mass)


@lru_cache(maxsize=64)
def _number(value: float, dtype: torch.dtype) -> Tensor:
    return torch.tensor(value, dtype=dtype, device="cpu")


@lru_cache(maxsize=64)
def constant(value: float, dtype: torch.dtype) -> Tensor:
    """A number as [1, 1, 1]; a Python number costs a launch 2 us more."""
    return torch.full((1, 1, 1), value, dtype=dtype, device="cpu")


def slots_of(p: Problem) -> Slots | None:
    """Targets of a problem on a CPU as slots, or None if a row has more than MOST."""
    dtype = acc_dtype(p.x.dtype)
    slots = _of_rows(p.token.unsqueeze(2), dtype) if p.row is None else _of_lists(p, dtype)
    if slots is None or p.row_weights is None:
        return slots
    own = p.row_weights.to(dtype)[..., None]
    several = slots.several or _alone(torch.ones_like(own))
    return _shared(slots.token, several._replace(weight=several.weight * own))


def _of_rows(token: Tensor, dtype: torch.dtype) -> Slots:
    """Of one target per row, -1 for none."""
    if int(token.amin()) < 0:
        return _shared(token.clamp(min=0), _alone((token >= 0).to(dtype)))
    N = token.shape[1]
    return Slots(token, None, constant(1 / N, dtype), _number(float(N), dtype))


def _alone(weight: Tensor) -> Several:
    return Several(weight, torch.ones_like(weight), torch.zeros_like(weight))


def _shared(token: Tensor, several: Several) -> Slots:
    total = several.weight.sum(2, keepdim=True)
    mass = total.sum(1, keepdim=True).clamp_(min=torch.finfo(torch.float32).tiny)
    return Slots(token, several, total / mass, mass[:, 0, 0])


class _Known(NamedTuple):
    """Slots of a list of targets; sources, state: which list, and what was true of it then."""

    sources: tuple[ReferenceType[Tensor], ...]
    state: tuple[object, ...]
    slots: Slots | None

    def serves(self, sources: tuple[Tensor, ...], state: tuple[object, ...]) -> bool:
        same = all(known() is t for known, t in zip(self.sources, sources, strict=True))
        return same and self.state == state


_known: MutableMapping[Tensor, _Known] = WeakTensorKeyDictionary()


def _of_lists(p: Problem, dtype: torch.dtype) -> Slots | None:
    """A full batch has the same list in every step: its slots last as long as its tokens."""
    row, token, weight, N = p.row, p.token, p.weight, p.x.shape[1]
    assert row is not None
    assert weight is not None
    if any(t.is_inference() for t in (row, token, weight)):  # which do not say who wrote to them
        return _placed(row, token, weight.to(dtype), N)
    state = (row._version, token._version, weight._version, N, dtype)
    found = _known.get(token)
    if found is None or not found.serves((row, weight), state):
        slots = _placed(row, token, weight.to(dtype), N)
        found = _known[token] = _Known((ref(row), ref(weight)), state, slots)
    return found.slots


def _placed(row: Tensor, token: Tensor, weight: Tensor, N: int) -> Slots | None:
    K, M = row.shape
    rows = torch.arange(N + 1, device=row.device).expand(K, -1).contiguous()
    begin = torch.searchsorted(row.masked_fill(row < 0, N), rows)
    count = begin.diff()[..., None]
    R = max(1, int(count.amax()))
    if R > MOST or M == 0:
        return None
    slot = torch.arange(R, device=row.device)
    filled = slot < count
    at = torch.where(filled, begin[:, :-1, None] + slot, begin[:, :-1, None])
    at = at.clamp_(max=M - 1).flatten(1)
    token = token.gather(1, at).view(filled.shape).masked_fill_(count == 0, 0)
    weight = weight.gather(1, at).view(filled.shape).mul_(filled)
    if R == 1 and bool((weight == 1).all()):
        return _of_rows(token, weight.dtype)
    total = weight.sum(2, keepdim=True)
    lack = 1 - weight / total.masked_fill(total == 0, 1)
    counted = (filled | (slot == 0)).to(weight.dtype)
    return _shared(token, Several(weight, counted, torch.where(filled, lack, lack[..., :1])))
