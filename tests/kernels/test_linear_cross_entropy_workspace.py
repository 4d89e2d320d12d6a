"""How the loss's workspace is divided, and how much of the logits it is."""

import pytest
import torch

from geomem.bench.loss.op import GRID
from geomem.kernels.linear_cross_entropy import configs, workspace

GPU = workspace.LEAST, workspace.FLOOR, workspace.BLOCK


@pytest.mark.parametrize(
    ("K", "N", "row_bytes", "limits"),
    [
        (1, 16_384, 2 * 1_000_000, GPU),  # a million tokens: the floor
        (1, 16_384, 2 * 20_032, GPU),
        (8, 16_384, 2 * 10_048, GPU),
        (64, 1024, 2 * 4096, GPU),  # all rows of some members
        (4096, 100, 2 * 576, GPU),
        (3, 5, 1, GPU),
        (3, 50, 100, (1700,)),  # a CPU: some rows of a member
        (3, 50, 100, (10_500,)),  # two members
        (3, 50, 100, (10,)),  # less than a row
    ],
)
def test_a_chunk_keeps_to_its_budget_or_its_floor(K, N, row_bytes, limits):
    budget, floor, block = (*limits, 1, 1)[:3]
    members, rows = workspace.division(K, N, row_bytes, *limits)
    assert rows == N or rows % block == 0
    assert -(-N // rows) <= -(-N // min(N, floor)), "no more chunks than of floor rows"
    assert members == 1 or rows == N
    assert members * rows * row_bytes <= max(budget, min(N, floor) * row_bytes)
    seen = torch.zeros(K, N, dtype=torch.int)
    for at in workspace.divided(K, N, members, rows):
        assert (at.k_end - at.k, at.n_end - at.n) <= (members, rows)
        seen[at.k : at.k_end, at.n : at.n_end] += 1
    assert (seen == 1).all()


# Points of the benchmark that exceed 5 % of the logits; workspace.py says why.
MORE = {
    (16_384, 20_001, 384, 1): 0.154,  # 101 MB
    (4096, 1_000_000, 784, 1): 0.193,  # 1.6 GB
    (1024, 4096, 64, 64): 0.193,  # 104 MB
}


@pytest.mark.parametrize("point", GRID["cuda"], ids=str)
def test_share_of_the_logits(point):
    """In bf16: P, and beside it sums over tiles (peaks and sums, float) or a product with P."""
    N, V, D, K = point
    if configs.regime(N, V) == "tiny":
        return  # the logits stay in registers
    c, line = configs.large_config(torch.bfloat16), workspace.padded(V)
    at = next(workspace.chunks(K, N, 2 * line))
    beside = max(2 * 4 * -(-V // c.columns), 4 * D)
    extra = (at.k_end - at.k) * (at.n_end - at.n) * (2 * line + beside)
    share = extra / (2 * K * N * V)
    if point in MORE:
        assert share == pytest.approx(MORE[point], abs=1e-3)
    else:
        assert share < 0.05
