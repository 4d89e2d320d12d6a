"""The graphs that a run can memorise, as configuration: sizes only, no arrays."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from geomem.train.config.base import Section

MAX_NODES = 10_000_000
Sha256 = Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")]


class _Sized(Section):
    """A graph whose size follows from its fields, and is checked before memory is spent."""

    @property
    def node_count(self) -> int:
        raise AttributeError("node_count")

    @property
    def edge_count(self) -> int:
        """Undirected edges, self-edges not counted."""
        raise AttributeError("edge_count")

    @property
    def path_count(self) -> int:
        """Root-to-leaf paths that can become path examples."""
        return 0

    @model_validator(mode="after")
    def _check_size(self) -> "_Sized":
        if self.node_count > MAX_NODES:
            raise ValueError(f"{self.node_count} nodes are more than the limit of {MAX_NODES}")
        return self


class PathStar(_Sized):
    """A root with disjoint arms, G(arms, length)."""

    kind: Literal["path_star"]
    arms: int = Field(ge=1, le=MAX_NODES)
    """Number of arms that leave the root."""
    length: int = Field(ge=2, le=10_000)
    """Nodes of one path, root and leaf included."""

    @property
    def node_count(self) -> int:
        return self.arms * (self.length - 1) + 1

    @property
    def edge_count(self) -> int:
        return self.node_count - 1

    @property
    def path_count(self) -> int:
        return self.arms


class TreeStar(_Sized):
    """A root with `arms` subtrees in which every inner node has `branching` children."""

    kind: Literal["tree_star"]
    arms: int = Field(ge=1, le=MAX_NODES)
    """Number of subtrees that hang from the root."""
    branching: int = Field(default=2, ge=1, le=1_000)
    """Children of every inner node below the root."""
    length: int = Field(ge=2, le=64)
    """Nodes from root to leaf, both included."""

    @property
    def node_count(self) -> int:
        levels = (self.branching**depth for depth in range(self.length - 1))
        return 1 + self.arms * int(sum(levels))

    @property
    def edge_count(self) -> int:
        return self.node_count - 1

    @property
    def path_count(self) -> int:
        return self.arms * int(self.branching ** (self.length - 2))


class Grid(_Sized):
    """A rectangular lattice, neighbours left, right, above and below."""

    kind: Literal["grid"]
    rows: int = Field(ge=1, le=MAX_NODES)
    """Rows of the lattice."""
    columns: int = Field(ge=1, le=MAX_NODES)
    """Columns of the lattice."""

    @model_validator(mode="after")
    def _has_an_edge(self) -> "Grid":
        if self.rows == self.columns == 1:
            raise PydanticCustomError(
                "edges",
                "1 row of 1 column is one node, without an edge to memorise; "
                "take 2 or more rows or columns",
                {"field": "rows"},
            )
        return self

    @property
    def node_count(self) -> int:
        return self.rows * self.columns

    @property
    def edge_count(self) -> int:
        return self.rows * (self.columns - 1) + self.columns * (self.rows - 1)


class Cycle(_Sized):
    """A ring of nodes."""

    kind: Literal["cycle"]
    nodes: int = Field(ge=3, le=MAX_NODES)
    """Nodes on the ring."""

    @property
    def node_count(self) -> int:
        return self.nodes

    @property
    def edge_count(self) -> int:
        return self.nodes


class Irregular(_Sized):
    """The fixed graph of 16 nodes and 20 edges in two unlike parts (arXiv 2510.26745)."""

    kind: Literal["irregular"]

    @property
    def node_count(self) -> int:
        return 16

    @property
    def edge_count(self) -> int:
        return 20


class FileGraph(Section):
    """A graph that stands in files: only they tell its size, and their content is its identity."""

    FILES: ClassVar[Mapping[str, str]]
    """The field of each file's path, and that of its digest."""


class EdgeList(FileGraph):
    """A graph from a text file: one edge per line, two names parted by blanks or a comma."""

    FILES: ClassVar[Mapping[str, str]] = {"path": "sha256"}
    kind: Literal["edge_list"]
    path: str = Field(min_length=1)
    """File with the edges; a relative path starts at the folder of the grid file."""
    sha256: Sha256 = None
    """Digest of the file. Filled in when the grid is loaded; a run's identity rests on it and not
    on the path. Give it to be told when the file has changed."""


class Text(FileGraph):
    """Edge examples and paths from text files, exactly as they are (arXiv 2510.26745's release)."""

    FILES: ClassVar[Mapping[str, str]] = {
        "edge_file": "edge_sha256",
        "train_file": "train_sha256",
        "test_file": "test_sha256",
    }
    kind: Literal["text"]
    edge_file: str = Field(min_length=1)
    """File of edge examples, one `u=v` per line: given u, predict v. Relative paths start at the
    folder of the grid file."""
    train_file: str | None = Field(default=None, min_length=1)
    """File of the paths to train on, one `leaf=root,...,leaf` per line; null for none."""
    test_file: str | None = Field(default=None, min_length=1)
    """File of the held-out paths, in the same form."""
    edge_sha256: Sha256 = None
    """Digest of the edge file, filled in when the grid is loaded."""
    train_sha256: Sha256 = None
    """Digest of the file of paths to train on."""
    test_sha256: Sha256 = None
    """Digest of the file of held-out paths."""

    @model_validator(mode="after")
    def _paths_come_in_two_files(self) -> "Text":
        if (self.train_file is None) != (self.test_file is None):
            missing = "test_file" if self.test_file is None else "train_file"
            raise PydanticCustomError(
                "files",
                "paths need both files, and {field} is missing; without paths leave both out",
                {"field": missing},
            )
        return self


GraphConfig = PathStar | TreeStar | Grid | Cycle | Irregular | EdgeList | Text


def file_fields(graph: GraphConfig | None) -> Mapping[str, str]:
    """The fields that say where the files of a graph are, with those of their digests."""
    return graph.FILES if isinstance(graph, FileGraph) else {}
