"""Where Node2Vec's embeddings end, from a sweep of the shipped grid: a Markdown table.

python -m geomem.bench.node2vec SWEEP
"""

import sys
from typing import NamedTuple

import numpy as np

from geomem.analysis import Member, open_sweep
from geomem.analysis.hops import hop_correlation, hop_table
from geomem.analysis.laplacian import Floats, Ints, SpectralReference, spectral_reference
from geomem.analysis.spectrum import coefficient_projections, energy_share


class End(NamedTuple):
    """One run at its last step; the Ce ratio is of the Fiedler vectors, largest of them, to start.

    share: of ‖V‖² in the constant vectors and the Fiedler-like ones (two at least) together;
    strict_share: with the Fiedler eigenspace alone.
    """

    share: float
    strict_share: float
    residual: float
    spearman: float
    recovery: float
    ce_ratio: float


def energy_in(embedding: Floats, reference: SpectralReference, columns: Ints) -> float:
    """Share of ‖V‖², V [n, m], in one constant vector per component and some eigenvectors."""
    both = [reference.constants, reference.vectors[:, columns]]
    basis = np.linalg.qr(np.concatenate(both, 1))[0]
    return float(energy_share(embedding[None], basis)[0])


def end_of(member: Member) -> End:
    """Measure one run; ‖Ce‖ needs the tied form and a history, and is NaN without."""
    embedding, edges = member.tensor("embedding"), member.tensor("edges")
    n = len(embedding)
    reference = spectral_reference(edges, n)
    ratio = np.nan
    if member.config["model"]["tie"] and member.has("history/embedding"):
        ends = member.tensor("history/embedding")[[0, -1]]
        sizes = coefficient_projections(ends, edges, reference.vectors[:, reference.fiedler])
        ratio = float((sizes[1] / sizes[0]).max())
    return End(
        energy_in(embedding, reference, reference.leading(2)),
        energy_in(embedding, reference, reference.fiedler),
        member.final("residual"),
        float(hop_correlation(embedding[None], hop_table(edges, n))[0]),
        member.final("edge_recovery"),
        ratio,
    )


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low}–{high}"


def table(path: str) -> str:
    """One row per graph and form: lowest and highest of its seeds."""
    rows: dict[tuple[str, str], list[End]] = {}
    for member in open_sweep(path).where("model.kind=node2vec"):
        form = "tied" if member.config["model"]["tie"] else "untied"
        rows.setdefault((member.config["graph"]["kind"], form), []).append(end_of(member))
    measures = ["energy, Fiedler-like", "energy, Fiedler", "‖CV‖/‖V‖", "Spearman", "recovery"]
    heads = ["graph", "form", *measures, "‖Ce‖ end/start"]
    lines = [heads, ["---"] * len(heads)]
    for key, ends in rows.items():
        lines.append([*key, *(_range(list(column)) for column in zip(*ends, strict=True))])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print(table(sys.argv[1]))
