"""Look at what the runs of a sweep memorised: pure functions of packs and arrays.

The measures stand in `geometry`, `retrieval`, `hops`, `spectrum`, `memory` and `recall`. They take
any arrays, also of embeddings that no sweep made: see `read_embeddings` and `read_graph`.
"""

from geomem.analysis.readers import EdgeList, read_embeddings, read_graph
from geomem.analysis.sweeps import Member, Sweep, open_sweep

__all__ = ["EdgeList", "Member", "Sweep", "open_sweep", "read_embeddings", "read_graph"]
