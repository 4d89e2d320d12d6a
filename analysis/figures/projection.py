"""Embeddings in two or three dimensions."""

from typing import Literal

import numpy as np

from geomem.analysis.arrays import Floats
from geomem.analysis.geometry import principal_components
from geomem.train.errors import Exit, GeomemError

Projection = Literal["pca", "umap"]
NEIGHBOURS = 15


class MissingUmap(GeomemError):
    """UMAP was asked for and is not installed."""

    exit_code = Exit.USAGE

    def __init__(self) -> None:
        super().__init__("this projection needs umap-learn: pip install 'geomem[umap]'")


def project(x: Floats, how: Projection, count: int = 3) -> Floats:
    """Coordinates of rows, [n, count]; missing dimensions are zero.

    pca keeps distances as well as a linear map can; umap (cosine) keeps neighbourhoods and says
    nothing of distances. Raises MissingUmap.
    """
    points = principal_components(x, count) if how == "pca" else _umap(x, count)
    return np.pad(points, ((0, 0), (0, count - points.shape[1])))


def _umap(x: Floats, count: int) -> Floats:
    try:
        from umap import UMAP
    except ImportError:
        raise MissingUmap from None
    # The spectral start needs more nodes than dimensions by some; a random one is as good there.
    points: Floats = UMAP(
        n_components=count,
        n_neighbors=max(2, min(NEIGHBOURS, len(x) - 1)),
        metric="cosine",
        init="random" if len(x) < 4 * NEIGHBOURS else "spectral",
        random_state=0,
        n_jobs=1,
    ).fit_transform(x)
    return points
