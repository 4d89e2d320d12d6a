"""What checks measure of embeddings, of a batch of runs at a time.

K members · n nodes · m embedding width · Q queries · A arms
"""

import numpy as np

from geomem.analysis.arrays import Floats, unit_rows
from geomem.analysis.batches import Batch
from geomem.analysis.hops import hop_correlation, hop_table
from geomem.analysis.memory import memory_scores
from geomem.analysis.recall import edge_recovery
from geomem.analysis.retrieval import first_hop_retrieval
from geomem.analysis.scores import make_scores
from geomem.analysis.spectrum import negative_share


def own_arm(batch: Batch) -> dict[str, Floats]:
    """How close a leaf lies to the first hop of its arm, on arms whose paths were not trained on.

    auc: share of other arms' first hops that lie further away; contrast: how much further they lie
    in the mean, as cosine distance.
    """
    if not batch.has("arms"):
        return {}
    arms = batch.tensor("arms")
    held_out = batch.tensor("held_out") if batch.has("held_out") else np.arange(len(arms))
    queries = np.broadcast_to(held_out, (len(batch.places), held_out.shape[-1]))
    x = unit_rows(batch.embedding.astype(np.float64))
    member = np.arange(len(x))[:, None]
    leaves, own_hop = x[member, arms[queries, -1]], x[member, arms[queries, 1]]
    own = (leaves * own_hop).sum(-1)
    others = (leaves * x[:, arms[:, 1]].sum(1, keepdims=True)).sum(-1) - own
    contrast = own - others / max(1, len(arms) - 1)
    auc = first_hop_retrieval(batch.embedding, arms, queries).auc
    return {"auc": auc.mean(-1), "contrast": contrast.mean(-1)}


def far_order(batch: Batch) -> dict[str, Floats]:
    """far: Spearman of cosine distance with hop distance, of nodes that no edge joins."""
    table = hop_table(batch.edges, batch.embedding.shape[1])
    return {"far": hop_correlation(batch.embedding, table, least=2)}


def memory(batch: Batch) -> dict[str, Floats]:
    """Of one linear layer W: how much of its edge margin is geometric.

    skewed: edge margin of the part of W along E's own axes, in units of the whole margin; only of
    runs whose scores E W Eᵀ recover every edge. negative: share of ‖E‖² on negative eigenvalues.
    """
    found = {"negative": negative_share(batch.embedding, batch.edges)}
    if batch.map is None:
        return found
    margins = memory_scores(batch.embedding, batch.edges, batch.map)
    whole = edge_recovery(make_scores(batch.embedding, batch.map), batch.edges).nodes == 1
    with np.errstate(divide="ignore", invalid="ignore"):
        found["skewed"] = np.where(whole, margins.skewed / margins.original, np.nan)
    return found
