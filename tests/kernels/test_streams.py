"""Counter-based numbers: independent of the stack, and random enough."""

import torch

from geomem.kernels.streams import (
    normal,
    permutation,
    permutations,
    random_bits,
    stream_keys,
    uniform,
)


def test_a_member_draws_the_same_in_any_stack():
    counters = torch.arange(100)
    together = random_bits(stream_keys([3, 4, 5], "x"), counters)
    alone = random_bits(stream_keys([4], "x"), counters)
    assert torch.equal(together[1:2], alone)


def test_purposes_seeds_and_counters_differ():
    bits = random_bits(stream_keys(range(50), "a"), torch.arange(200))
    other = random_bits(stream_keys(range(50), "b"), torch.arange(200))
    assert torch.cat([bits, other]).unique().numel() == 2 * 50 * 200


def test_known_bits_never_change():
    """Packs of old must be reproducible: these are SplitMix64's first outputs for seed 0."""
    bits = random_bits(torch.zeros(1, dtype=torch.int64), torch.arange(3))[0]
    unsigned = [value % 2**64 for value in bits.tolist()]
    assert unsigned == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_normal_has_the_moments_of_a_normal():
    x = normal(stream_keys(range(20), "n"), torch.arange(20_000))
    assert abs(x.mean()) < 0.01
    assert abs(x.std() - 1) < 0.01
    assert abs((x**4).mean() - 3) < 0.1
    assert torch.corrcoef(x).fill_diagonal_(0).abs().max() < 0.04


def test_uniform_stays_inside_the_open_interval():
    u = uniform(stream_keys([1], "u"), torch.arange(100_000))
    assert 0 < u.min() < 1e-3
    assert 1 - 1e-3 < u.max() < 1
    assert abs(u.mean() - 0.5) < 0.01


def test_permutations_are_permutations_and_change_with_the_epoch():
    keys = stream_keys(range(4), "p")
    first, second = permutations(keys, 50, 0, 2).unbind(1)
    assert torch.equal(first, permutation(keys, 50))
    expected = torch.arange(50).expand(4, -1)
    assert torch.equal(first.sort(1).values, expected)
    assert torch.equal(second.sort(1).values, expected)
    assert not torch.equal(first, second)
