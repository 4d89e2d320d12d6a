"""What is learned, from a graph or of facts.

Every kind of task answers two questions: its `curriculum`, the kinds of examples that each stage
of the training takes, and its `measures`, those that `train.stop_when` may watch.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from geomem.train.config.base import Section

MAX_FACTS = 100_000_000
EDGE_MEASURES = ("edge_accuracy", "edge_recovery")
Curriculum = tuple[frozenset[str], ...]
_EDGES, _PATHS = frozenset({"edges"}), frozenset({"paths"})


class InWeights(Section):
    """One fixed graph, memorised in the parameters (arXiv 2510.26745)."""

    kind: Literal["in_weights"] = "in_weights"
    recipe: Literal["edges_only", "mixed", "staged"] = "edges_only"
    """edges_only; mixed: edges and paths in every step; staged: edges first, then paths."""
    target: Literal["full_path", "hardest_token"] = "full_path"
    """full_path: root to leaf; hardest_token: the first hop after the root alone."""
    edges: Literal["both", "forward", "backward", "given"] = "both"
    """Directions of the edge examples; forward is from parent to child. given: as they stand in the
    files of a text graph, whatever that is."""
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
        return (*EDGE_MEASURES, "exact_match", "first_hop", "train_exact_match")


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


class Facts(Section):
    """Facts `subject relation` -> attribute: each relation is a random bijection of the subjects
    to its attributes (arXiv 2605.12426). There is no graph.
    """

    kind: Literal["facts"]
    subjects: int = Field(ge=2, le=MAX_FACTS)
    """Subjects N; a relation has as many attributes."""
    relations: int = Field(ge=1, le=65_536)
    """Relations R."""
    attributes: Literal["shared", "disjoint"] = "shared"
    """shared: one set of attributes for all relations; disjoint: one for each."""
    hops: int = Field(default=1, ge=1, le=16)
    """Relations in a query; with several, attributes are subjects: g_k(... g_1(subject))."""
    chain_of_thought: bool = False
    """Predict the answer of every hop, each behind the ones before it; else the last one alone."""
    test_fraction: float = Field(default=0.0, ge=0, lt=1)
    """Share of the queries that are never trained on; needs more than one hop."""

    @model_validator(mode="after")
    def _hops_fit(self) -> "Facts":
        if self.hops > 1 and self.attributes == "disjoint":
            _refuse("attributes", "the attributes of several hops are subjects; leave them shared")
        if self.hops == 1 and self.chain_of_thought:
            _refuse("chain_of_thought", "one hop has no chain of thought; leave it out")
        if self.hops == 1 and self.test_fraction:
            _refuse("test_fraction", "a fact that is never seen cannot be known; leave it out")
        if self.query_count > MAX_FACTS:
            text = f"{self.query_count:.15g} queries are more than the limit of {MAX_FACTS}"
            _refuse("subjects", f"{text}; take fewer subjects, relations or hops")
        if self.test_fraction and self.test_count in (0, self.query_count):
            text = f"{self.test_fraction} of {self.query_count} queries leaves the test or the "
            _refuse("test_fraction", f"{text}training with none; take another fraction")
        return self

    @property
    def query_count(self) -> int:
        """Queries that there are."""
        return int(self.subjects * self.relations**self.hops)

    @property
    def test_count(self) -> int:
        """Queries that are never trained on."""
        return held_out_count(self.query_count, self.test_fraction)

    @property
    def attribute_count(self) -> int:
        """Attributes of all relations."""
        return self.subjects * (self.relations if self.attributes == "disjoint" else 1)

    @property
    def curriculum(self) -> Curriculum:
        """Kinds of examples of each stage."""
        return (frozenset({"facts"}),)

    @property
    def measures(self) -> tuple[str, ...]:
        """What an early stop can watch."""
        return ("accuracy", "held_out_accuracy") if self.test_fraction else ("accuracy",)


def _refuse(field: str, message: str) -> None:
    raise PydanticCustomError("mismatch", message, {"field": field})


def _usual_kind(value: Any) -> Any:
    """A mapping without a kind is an in-weights task."""
    return {"kind": "in_weights", **value} if isinstance(value, dict) else value


TaskConfig = Annotated[
    InWeights | InContext | Facts, Field(discriminator="kind"), BeforeValidator(_usual_kind)
]


def held_out_count(total: int, fraction: float) -> int:
    """How many of `total` leaves (subtrees, queries) a test share of `fraction` keeps out."""
    return int(total * fraction + 0.5)
