"""What is learned from the graph."""

from typing import Literal

from pydantic import Field

from geomem.train.config.base import Section


class InWeights(Section):
    """One fixed graph, memorised in the parameters (arXiv 2510.26745)."""

    kind: Literal["in_weights"] = "in_weights"
    recipe: Literal["edges_only", "mixed", "staged"] = "edges_only"
    """edges_only; mixed: edges and paths in every step; staged: edges first, then paths."""
    target: Literal["full_path", "hardest_token"] = "full_path"
    """full_path: root to leaf; hardest_token: the first hop after the root alone."""
    edges: Literal["both", "forward", "backward"] = "both"
    """Directions of the edge examples; forward is from parent to child."""
    self_edges: bool = False
    """Also teach u -> u for every node."""
    reverse_paths: bool = False
    """Targets from leaf to root: the easy control."""
    teacherless: bool = False
    """Hide the path from the input: every target is predicted in parallel."""
    pauses: int = Field(default=1, ge=0, le=1_000)
    """[PAUSE] tokens between the leaf and the path."""
    start_node: bool = False
    """Put the root before the leaf in the prefix of a path."""
    task_token: bool = True
    """Start each example with [EDGE] or [PATH]."""
    test_fraction: float = Field(default=0.25, gt=0, lt=1)
    """Share of the leaves (or subtrees) whose paths are never trained on."""
    split: Literal["leaf", "first_token"] = "leaf"
    """leaf: leaves are divided; first_token: whole subtrees are divided."""


TaskConfig = InWeights
