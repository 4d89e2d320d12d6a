"""Counter-based random numbers: a value depends on (seed, purpose, counter) and on nothing else.

The generator is SplitMix64 (Steele, Lea, Flood 2014) used as a hash of the counter. All integer
arithmetic wraps, so every device gives the same bits, whatever the stack around a member.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15 - 2**64
MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
MIX_2 = 0x94D049BB133111EB - 2**64


def _shift(z: Tensor, bits: int) -> Tensor:
    """Logical right shift; that of int64 tensors copies the sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _mix(z: Tensor) -> Tensor:
    z = (z ^ _shift(z, 30)) * MIX_1
    z = (z ^ _shift(z, 27)) * MIX_2
    return z ^ _shift(z, 31)


def stream_keys(seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu") -> Tensor:
    """Return one int64 key per seed, [K], for numbers that serve `purpose`."""
    salt = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little", signed=True)
    seed = torch.tensor(list(seeds), dtype=torch.int64, device=device)
    return _mix(_mix(seed * GOLDEN) ^ salt)


def random_bits(keys: Tensor, counters: Tensor) -> Tensor:
    """Return 64 random bits as int64 [K, *counters.shape] for keys [K] and counters int64."""
    shape = (-1, *[1] * counters.dim())
    return _mix(keys.view(shape) + (counters + 1) * GOLDEN)


def uniform(keys: Tensor, counters: Tensor) -> Tensor:
    """Return float64 in the open interval (0, 1), [K, *counters.shape]."""
    return (_shift(random_bits(keys, counters), 12).double() + 0.5) * 2.0**-52


def normal(keys: Tensor, counters: Tensor) -> Tensor:
    """Return standard normal float64, [K, *counters.shape]."""
    quantile: Tensor = torch.special.ndtri(uniform(keys, counters))
    return quantile


def permutation(keys: Tensor, n: int) -> Tensor:
    """Return a random order of range(n) for each key, int64 [K, n]."""
    return permutations(keys, n, 0, 1)[:, 0]


def permutations(keys: Tensor, n: int, first: int, count: int) -> Tensor:
    """Return the orders number first, ..., first + count - 1 of each key, int64 [K, count, n]."""
    counters = torch.arange(first * n, (first + count) * n, device=keys.device).view(count, n)
    return random_bits(keys, counters).argsort(dim=2, stable=True)
