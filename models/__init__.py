"""Stacked models, most of them tokens in, hidden states out. The member axis K leads."""

from geomem.models.feed_forward import FeedForward
from geomem.models.mamba import Mamba
from geomem.models.node2vec import Neighbours, Node2Vec
from geomem.models.parameters import Model, Parameter, Parametric, draw, output_matrix
from geomem.models.recall import Recall
from geomem.models.segments import Dropout, Pairs, Segment, pairs
from geomem.models.transformer import Transformer

__all__ = [
    "Dropout",
    "FeedForward",
    "Mamba",
    "Model",
    "Neighbours",
    "Node2Vec",
    "Pairs",
    "Parameter",
    "Parametric",
    "Recall",
    "Segment",
    "Transformer",
    "draw",
    "output_matrix",
    "pairs",
]
