"""For each finding: runs that show it, and for each of its checks runs that fail it."""

from tests.analysis.findings import cases_of_paths as paths
from tests.analysis.findings import cases_of_tiny_graphs as graphs

CASES = {
    "1a": paths.learned,
    "1b": paths.token_order,
    "1c": paths.hardest,
    "2": paths.closeness,
    "3a": graphs.frozen,
    "3b": graphs.from_edges,
    "4": graphs.node2vec,
    "5": graphs.headroom,
    "6": paths.regimes,
    "7": paths.pauses,
    "8": paths.staged,
    "9": paths.in_context,
    "10": paths.tree_star,
    "11": graphs.knobs,
}
ALONG = {
    ("4", 0): {2, 3},
    ("4", 1): {3},
    ("4", 3): {1},
    ("7", 0): {1},
    ("10", 0): {2},
}
"""Checks that cannot but fail along with the broken one."""
