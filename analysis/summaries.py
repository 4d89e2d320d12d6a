"""The measures that `geomem-analyze` tabulates, of one batch of runs at a time.

K members · n nodes · Q held-out paths
"""

from functools import lru_cache

import numpy as np

from geomem.analysis.arrays import Floats, Ints, unit_rows
from geomem.analysis.batches import Batch
from geomem.analysis.geometry import geometric_level, mean_similarity, path_contrast
from geomem.analysis.hops import HopTable, hop_correlation, hop_table
from geomem.analysis.laplacian import SpectralReference, spectral_reference
from geomem.analysis.memory import memory_scores, succinctness
from geomem.analysis.path_star import fiedler_space
from geomem.analysis.recall import edge_recovery
from geomem.analysis.retrieval import first_hop_retrieval
from geomem.analysis.scores import make_scores
from geomem.analysis.spectrum import (
    Space,
    Span,
    coefficient_projections,
    coefficient_residual,
    effective_rank,
    energy_in,
    energy_share,
    fiedler_alignment,
    negative_share,
    projections,
)
from geomem.train.sweep.results import final_metrics

GEOMETRY = ("level", "mean_cosine", "spearman", "spearman_far", "top1", "mrr", "auc")
SPECTRUM = (
    *("effective_rank", "negative_share", "energy_fiedler", "alignment"),
    *("margin", "margin_skewed", "margin_geometric"),
)
RECALL = (
    *("exact_match", "first_hop", "edge_recovery"),
    *("recovery_dot", "recovery_cosine", "recovery_map"),
)
FIEDLER = ("energy_fiedler", "alignment", "largest_angle")
PEAKED = ("exact_match", "first_hop")
SPECTRAL_LINES = 8
DIRECT_NODES = 1_500  # up to here all eigenvectors are computed


def geometry(batch: Batch) -> dict[str, Floats]:
    """How the embeddings lie on their graph, if any: see `geometry`, `retrieval` and `hops`.

    top1, mrr, auc: leaf to own first hop, of the held-out paths, or of all where none were trained.
    """
    if not batch.has("edges"):
        return {}
    x, edges = batch.embedding, batch.edges
    table = _hops(edges.tobytes(), x.shape[1], None)
    found = {
        "level": geometric_level(x, edges),
        "mean_cosine": mean_similarity(x),
        "level_dot": geometric_level(x, edges, "dot"),
        "mean_dot": mean_similarity(x, "dot"),
        "spearman": hop_correlation(x, table),
        "spearman_far": hop_correlation(x, table, least=2),
    }
    return found | _arms(batch) | _per_set(batch)


def _arms(batch: Batch) -> dict[str, Floats]:
    if batch.paths is None:
        return {}
    queries = batch.tensor("held_out") if batch.has("held_out") else None
    ranked = first_hop_retrieval(batch.embedding, batch.paths, queries)
    found = {
        "top1": ranked.top1.mean(-1),
        "mrr": ranked.reciprocal_rank.mean(-1),
        "auc": ranked.auc.mean(-1),
    }
    if batch.has("arms"):
        contrast = path_contrast(batch.embedding, batch.paths)
        found |= {"path_within": contrast.within, "path_between": contrast.between}
    return found


def _per_set(batch: Batch) -> dict[str, Floats]:
    found, n = {}, batch.embedding.shape[1]
    for name, nodes in batch.node_sets.items():
        if len(nodes) > 1:
            found[f"mean_cosine.{name}"] = mean_similarity(unit_rows(batch.embedding)[:, nodes])
            table = _hops(batch.edges.tobytes(), n, nodes.tobytes())
            found[f"spearman.{name}"] = hop_correlation(batch.embedding, table)
    return found


def spectrum(batch: Batch, cells: int = 16) -> dict[str, Floats]:
    """Spectra and memory type: see `spectrum` and `memory`; `cells` per dimension for the bits.

    FIEDLER needs the whole Fiedler-like eigenspace, and is left out where that is too large and the
    graph no path-star; everything is where there is no graph. A node without an edge to another
    leaves the graph without the spectrum of its walk, and what is held against that.
    """
    if not batch.has("edges"):
        return {}
    x, edges = batch.embedding, batch.edges
    if len(np.unique(edges)) < x.shape[1]:
        return {"effective_rank": effective_rank(x)} | _memory(batch, cells)
    reference = _reference(edges.tobytes(), x.shape[1])
    found = {
        "effective_rank": effective_rank(x),
        "negative_share": negative_share(x, edges, reference),
        "energy_trivial": energy_share(x, reference.vectors[:, reference.trivial]),
        "energy_constant": energy_share(x, reference.constants),
    }
    found |= _fiedler(batch, reference) | _memory(batch, cells)
    lines = np.flatnonzero(~reference.trivial)[:SPECTRAL_LINES]
    found |= _numbered("projection", projections(x, reference.vectors[:, lines]))
    if batch.config["model"]["kind"] == "node2vec" and batch.unembedding is None:
        found["coefficient_residual"] = coefficient_residual(x, edges)
        moved = coefficient_projections(x, edges, reference.vectors[:, lines])
        found |= _numbered("coefficient", moved)
    return found


def _fiedler(batch: Batch, reference: SpectralReference) -> dict[str, Floats]:
    space: Space | None
    try:
        space = Span(reference.vectors[:, reference.fiedler])
    except ValueError:  # a path-star's has one dimension less than arms
        space = fiedler_space(batch.edges, batch.tensor("arms")) if batch.has("arms") else None
    if space is None:
        return {}
    aligned = fiedler_alignment(batch.embedding, reference, space)
    energy = energy_in(batch.embedding, space)
    return dict(zip(FIEDLER, (energy, aligned.score, aligned.angles[..., -1]), strict=True))


def _memory(batch: Batch, cells: int) -> dict[str, Floats]:
    x, edges, task = batch.embedding, batch.edges, batch.config["task"]
    K, n, m = x.shape
    tied, taught = batch.unembedding is None, task.get("edges", "both")
    cost = succinctness(len(edges), n, m, cells, taught == "both", tied)
    if taught == "given":  # by a file that may have any edge in one direction or both
        cost = cost._replace(associative_bits=np.nan, associative_norm=np.nan)
    found = {"norm": np.sqrt((x**2).sum((1, 2)))}
    if batch.scores_known:
        margins = memory_scores(x, edges, batch.map, batch.unembedding)
        found |= {"margin": margins.original, "margin_skewed": margins.skewed}
    else:
        margins = memory_scores(x, edges)
    found["margin_geometric"] = margins.geometric
    return found | {name: np.full(K, value) for name, value in cost._asdict().items()}


def recall(batch: Batch) -> dict[str, Floats]:
    """Top-k edge recovery from the embeddings, from the model's own scores, and its accuracies.

    recovery_dot, recovery_cosine: share of nodes whose neighbours score highest, from E Eᵀ and from
    cosines; recovery_dot_edges: share of neighbours; recovery_map: from E W Uᵀ or, in Node2Vec,
    E Uᵀ.
    """
    if not batch.has("edges"):
        return _finals(batch)
    x, edges = batch.embedding, batch.edges
    dot = edge_recovery(make_scores(x), edges)
    found = {
        "recovery_dot": dot.nodes,
        "recovery_dot_edges": dot.edges,
        "recovery_cosine": edge_recovery(make_scores(unit_rows(x)), edges).nodes,
    }
    if batch.scores_known:
        scores = make_scores(x, batch.map, batch.unembedding)
        found["recovery_map"] = edge_recovery(scores, edges).nodes
    return found | _finals(batch)


def _finals(batch: Batch) -> dict[str, Floats]:
    """The last finite value of each of the packs' metrics but losses, and peaks of accuracies."""
    if not batch.final:
        return {}
    finals = final_metrics(batch.pack)
    rows = [finals[at] for at in batch.places]
    names = dict.fromkeys(name for row in rows for name in row if "loss" not in name)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names} | _peaks(
        batch
    )


def _peaks(batch: Batch) -> dict[str, Floats]:
    """The highest accuracy of paths on the way, and the first step at which it was measured."""
    found: dict[str, Floats] = {}
    for name in PEAKED:
        if batch.has(f"metrics/{name}"):
            curves = np.nan_to_num(batch.tensor(f"metrics/{name}"), nan=-1.0)
            highest = curves.max(1)
            found[f"{name}_peak"] = np.where(highest >= 0, highest, np.nan)
            steps = batch.tensor("metrics_step")[curves.argmax(1)]
            found[f"{name}_peak_step"] = np.where(highest >= 0, steps, np.nan)
    return found


def _numbered(name: str, values: Floats) -> dict[str, Floats]:
    return {f"{name}.{i + 1}": values[:, i] for i in range(values.shape[1])}


@lru_cache(maxsize=64)
def _hops(edges: bytes, n: int, nodes: bytes | None) -> HopTable:
    return hop_table(_ints(edges).reshape(-1, 2), n, None if nodes is None else _ints(nodes))


@lru_cache(maxsize=8)
def _reference(edges: bytes, n: int) -> SpectralReference:
    k = n if n <= DIRECT_NODES else SPECTRAL_LINES
    return spectral_reference(_ints(edges).reshape(-1, 2), n, k)


def _ints(data: bytes) -> Ints:
    return np.frombuffer(data, np.int64)
