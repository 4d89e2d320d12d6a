"""Stacked models: tokens in, hidden states out. Every tensor leads with the member axis K."""

from geomem.models.feed_forward import FeedForward
from geomem.models.mamba import Mamba
from geomem.models.parameters import Model, Parameter, draw, output_matrix
from geomem.models.segments import Dropout, Segment
from geomem.models.transformer import Transformer

__all__ = [
    "Dropout",
    "FeedForward",
    "Mamba",
    "Model",
    "Parameter",
    "Segment",
    "Transformer",
    "draw",
    "output_matrix",
]
