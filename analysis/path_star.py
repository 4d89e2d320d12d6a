"""The Fiedler-like eigenspace of a path-star of any size, in closed form.

Vectors that are 0 on the root and sum to 0 over the arms do not meet the root: arm by arm they are
eigenvectors of one arm, a path that ends in a wall. The rest is alike on all arms, and its values
lie between theirs (Cauchy's interlacing), strictly, as the matrix is tridiagonal: the highest is
the Perron vector's, then comes the highest of an arm. So the Fiedler-like eigenspace is that mode
of an arm times whatever sums to 0 over the arms.

d arms · ℓ nodes of an arm without the root · n nodes
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh_tridiagonal

from geomem.analysis.arrays import Floats, Ints


@dataclass(frozen=True)
class ArmSpace:
    """arms: nodes [d, ℓ], from the root outwards; mode: of an arm [ℓ], of length 1."""

    arms: Ints
    mode: Floats

    @property
    def size(self) -> int:
        """The dimensions of the space."""
        return len(self.arms) - 1

    def coordinates(self, x: Floats) -> Floats:
        """See `Space`: the mode's share in every arm [..., d, m], which sums to 0 over the arms."""
        along: Floats = np.einsum("l,...dlm->...dm", self.mode, x[..., self.arms, :])
        along -= along.mean(-2, keepdims=True)
        return along

    def part(self, x: Floats) -> Floats:
        """See `Space`."""
        found = np.zeros_like(x)
        found[..., self.arms, :] = self.mode[:, None] * self.coordinates(x)[..., None, :]
        return found


def fiedler_space(edges: Ints, paths: Ints) -> ArmSpace | None:
    """The space of a path-star, paths [d, 1 + ℓ] from root to leaf; None if the graph is none."""
    arms = paths[:, 1:]
    alone = len(np.unique(arms)) == arms.size and paths[0, 0] not in arms
    if len(paths) < 2 or not arms.size or not alone or (paths[:, 0] != paths[0, 0]).any():
        return None
    own = np.stack([paths[:, :-1], arms], -1).reshape(-1, 2)
    if not np.array_equal(_undirected(edges), _undirected(own)):
        return None
    degree = np.full(arms.shape[1], 2.0)
    degree[-1] = 1
    weights = 1 / degree[:-1] + 1 / degree[1:]
    last = len(degree) - 1
    vectors = eigh_tridiagonal(np.zeros(last + 1), weights, select="i", select_range=(last, last))[
        1
    ]
    return ArmSpace(arms, vectors[:, 0])


def _undirected(edges: Ints) -> Ints:
    return np.unique(np.sort(edges, axis=1), axis=0)
