"""The findings of arXiv 2510.26745, each with a rule that decides from runs whether it holds."""

from geomem.analysis.findings.closeness import CLOSENESS
from geomem.analysis.findings.edge_regimes import EDGE_REGIMES
from geomem.analysis.findings.finding import MIN_SEEDS, Check, Finding, Judged, Verdict, judge
from geomem.analysis.findings.frozen import FROZEN_EMBEDDINGS
from geomem.analysis.findings.in_context import IN_CONTEXT_FAILS
from geomem.analysis.findings.knobs import KNOBS
from geomem.analysis.findings.node2vec import NODE2VEC
from geomem.analysis.findings.path_star import HARDEST_TOKEN, LEARNED
from geomem.analysis.findings.pauses import PAUSES
from geomem.analysis.findings.staged import STAGED_PEAK
from geomem.analysis.findings.tiny_graphs import FROM_EDGES, HEADROOM
from geomem.analysis.findings.token_order import TOKEN_ORDER
from geomem.analysis.findings.tree_star import TREE_STAR

FINDINGS = (
    LEARNED,
    TOKEN_ORDER,
    HARDEST_TOKEN,
    CLOSENESS,
    FROZEN_EMBEDDINGS,
    FROM_EDGES,
    NODE2VEC,
    HEADROOM,
    EDGE_REGIMES,
    PAUSES,
    STAGED_PEAK,
    IN_CONTEXT_FAILS,
    TREE_STAR,
    KNOBS,
)

__all__ = ["FINDINGS", "MIN_SEEDS", "Check", "Finding", "Judged", "Verdict", "judge"]
