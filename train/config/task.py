"""What is learned from the graph.

Every kind of task answers two questions: its `curriculum`, the kinds of examples that each stage
of the training takes, and its `measures`, those that `train.stop_when` may watch.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from geomem.train.config.base import Section

Curriculum = tuple[frozenset[str], ...]
_EDGES, _PATHS = frozenset({"edges"}), frozenset({"paths"})


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

    @property
    def curriculum(self) -> Curriculum:
        """Kinds of examples of each stage."""
        stages = {"edges_only": (_EDGES,), "mixed": (_EDGES | _PATHS,), "staged": (_EDGES, _PATHS)}
        return stages[self.recipe]

    @property
    def measures(self) -> tuple[str, ...]:
        """What an early stop can watch; a run without paths never reaches those of paths."""
        return (
            "edge_accuracy",
            "edge_recovery",
            "exact_match",
            "first_hop",
            "train_exact_match",
        )


class InContext(Section):
    """A fresh, randomly labelled path-star in every prompt (Bachmann & Nagarajan 2024).

    The prompt holds the shuffled edges, the root and the goal; the target is the path. Each step
    takes `train.path_batch` examples that no step before it saw.
    """

    kind: Literal["in_context"]
    labels: int | None = Field(default=None, ge=2, le=1_000_000)
    """Tokens that can name a node, each at most once in a prompt; null: twice the graph's nodes."""
    target: Literal["full_path", "hardest_token"] = "full_path"
    """full_path: root to goal; hardest_token: the first hop after the root alone."""
    reverse_paths: bool = False
    """Targets from goal to root: the easy control."""
    teacherless: bool = False
    """Hide the path from the input: every target is predicted in parallel."""
    delimiters: bool = True
    """A delimiter between the edges of a prompt; without it a third of its tokens is saved."""
    pauses: int = Field(default=0, ge=0, le=1_000)
    """[PAUSE] tokens between the goal and the path."""
    test_examples: int = Field(default=1_000, ge=1, le=1_000_000)
    """Examples of an evaluation; from a stream of their own, the same ones every time."""

    @property
    def curriculum(self) -> Curriculum:
        """Kinds of examples of each stage."""
        return (_PATHS,)

    @property
    def measures(self) -> tuple[str, ...]:
        """What an early stop can watch."""
        return ("exact_match", "first_hop")


def _usual_kind(value: Any) -> Any:
    """A mapping without a kind is an in-weights task."""
    return {"kind": "in_weights", **value} if isinstance(value, dict) else value


TaskConfig = Annotated[
    InWeights | InContext, Field(discriminator="kind"), BeforeValidator(_usual_kind)
]


def held_out_count(total: int, fraction: float) -> int:
    """How many of `total` leaves (or subtrees) a test share of `fraction` keeps out."""
    return int(total * fraction + 0.5)
