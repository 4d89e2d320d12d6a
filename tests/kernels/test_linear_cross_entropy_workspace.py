"""How the loss's workspace is divided."""

import pytest
import torch

from geomem.kernels.linear_cross_entropy import workspace


@pytest.mark.parametrize(
    ("K", "N", "row_bytes"),
    [
        (1, 16_384, 2 * 1_000_000),  # a million tokens: the floor
        (1, 16_384, 2 * 20_032),
        (8, 16_384, 2 * 10_048),
        (64, 1024, 2 * 4096),  # all rows of some members
        (4096, 100, 2 * 576),
        (3, 5, 1),
    ],
)
def test_workspace_keeps_to_its_budget_or_its_floor(K, N, row_bytes):
    limits = workspace.BUDGET, workspace.FLOOR, workspace.BLOCK
    members, rows = workspace.division(K, N, row_bytes, *limits)
    assert rows == N or rows % workspace.BLOCK == 0
    assert rows >= min(N, workspace.FLOOR)
    least = min(N, workspace.FLOOR) * row_bytes
    assert members * rows * row_bytes <= max(workspace.BUDGET, least)
    seen = torch.zeros(K, N, dtype=torch.int)
    for at in workspace.chunks(K, N, row_bytes):
        seen[at.k : at.k_end, at.n : at.n_end] += 1
    assert (seen == 1).all()
