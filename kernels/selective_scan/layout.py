"""Inputs as the kernels read them: [K,B,T,...] with any strides, states as [..., S, C].

K members · B sequences · T positions · C channels · S states
"""

from typing import Any

from torch import Tensor

from geomem.kernels.selective_scan import configs
from geomem.kernels.selective_scan.problem import Inputs, Options

_WIDEST = 1 << 27  # elements between steps, so that offsets inside a tile of steps fit 32 bits


def inner(t: Tensor) -> Tensor:
    """Return [K,B,T,...] with its last dimension contiguous and steps not too far apart."""
    return t if t.stride(3) == 1 and t.stride(2) < _WIDEST else t.contiguous()


def states(t: Tensor) -> Tensor:
    """Return [K,...,C,S] as [K,...,S,C], each state contiguous."""
    t = t.mT
    return t if t.stride(-1) == 1 and t.stride(-2) == t.shape[-1] else t.contiguous()


def strides(**tensors: Tensor | None) -> dict[str, int]:
    """Return the first three strides of each tensor as NAME_k, NAME_b, NAME_t; 0 for None."""
    return {
        f"{name}_{letter}": 0 if t is None else t.stride(i)
        for name, t in tensors.items()
        for i, letter in enumerate("kbt")
    }


def alignment(*tensors: Tensor) -> int:
    """Return the elements, at most 8, on whose multiples all rows of [K,B,T,...] begin."""

    def fits(t: Tensor, elements: int) -> bool:
        steps = (t.stride(i) for i in range(3) if t.shape[i] > 1)
        begins = t.data_ptr() % (elements * t.element_size()) == 0
        return begins and all(step % elements == 0 for step in steps)

    return next(n for n in (8, 4, 2, 1) if all(fits(t, n) for t in tensors))


class Problem:
    """The inputs of one call, and the sizes that all its launches share."""

    def __init__(self, x: Inputs, options: Options) -> None:
        (self.K, self.B, self.T, self.C), self.S = x.u.shape, x.a.shape[2]
        self.u, self.delta, self.b, self.c = (inner(t) for t in (x.u, x.delta, x.b, x.c))
        self.z = None if x.z is None else inner(x.z)
        self.a = states(x.a)
        self.start = None if x.initial_state is None else states(x.initial_state)
        self.shared = x.initial_state is not None and x.initial_state.shape[1] == 1
        self.d = None if x.d is None else x.d.contiguous()
        self.bias = None if x.delta_bias is None else x.delta_bias.contiguous()
        self.lengths = None if options.lengths is None else options.lengths.contiguous()
        self.softplus = options.softplus
        self.chunk = configs.chunk_length(self.T)
        self.chunks = configs.chunks(self.T)
        self.rows = self.B * self.chunks
        self.states_block = configs.states_block(self.S)

    def sizes(self) -> dict[str, int]:
        """Arguments of every kernel that knows of steps."""
        return {"B": self.B, "T": self.T, "C": self.C, "chunk": self.chunk, "chunks": self.chunks}

    def inputs(self) -> dict[str, Any]:
        """Arguments of the forward and of the backward kernel."""
        given = {"u": self.u, "delta": self.delta, "z": self.z, "b": self.b, "c": self.c}
        rest = {"a": self.a, "d": self.d, "bias": self.bias, "lengths": self.lengths}
        return {**given, **rest, **strides(**given), "S": self.S, "BS": self.states_block}


def start_strides(start: Tensor | None) -> tuple[int, int]:
    """Return those between members and sequences, the second 0 if the start is shared or None."""
    if start is None:
        return 0, 0
    return start.stride(0), 0 if start.shape[1] == 1 else start.stride(1)
