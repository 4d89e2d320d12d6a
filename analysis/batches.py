"""Runs measured pack by pack: members that share a graph and a shape, all at once.

K members of a batch · n nodes · m embedding width
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomem.analysis.arrays import Floats, Ints
from geomem.analysis.sweeps import Member
from geomem.train.packs import Pack
from geomem.train.sweep.results import Row, Value, flatten

Measures = Mapping[str, Floats]
HISTORY = "history/embedding"


@dataclass(frozen=True)
class Batch:
    """Runs of one pack; `places` [K] on its member axis. `embedding` [K, n, m].

    Embeddings and the parameters of scores are float64: 1 - cosine of float32 has few digits left
    where all rows are nearly alike.

    final: whether the embedding is that at the end, which the pack's other tensors go with.
    """

    pack: Pack
    places: Ints
    embedding: Floats
    final: bool = True

    @property
    def members(self) -> list[dict[str, Any]]:
        """The metadata of the runs."""
        return [self.pack.members[at] for at in self.places]

    @cached_property
    def config(self) -> dict[str, Any]:
        """The first run's configuration; graph, task and structure of the model are everyone's."""
        config: dict[str, Any] = self.members[0]["config"]
        return config

    def has(self, name: str) -> bool:
        """Whether the pack holds the tensor."""
        return name in self.pack.entries

    def tensor(self, name: str) -> NDArray[Any]:
        """A shared tensor, or the runs' rows [K, ...] of one that leads with members."""
        values = self.pack.tensor(name)
        return values if name in self.pack.shared else values[self.places]

    @cached_property
    def edges(self) -> Ints:
        """Edges [E, 2] of the graph."""
        return self.tensor("edges")

    @cached_property
    def paths(self) -> Ints | None:
        """Paths [P, length] from root to leaf, of a path-star or tree-star."""
        names = [name for name in ("arms", "paths") if self.has(name)]
        return self.tensor(names[0]) if names else None

    @cached_property
    def node_sets(self) -> dict[str, Ints]:
        """Named sets of nodes: those of the pack, and the first hops of paths."""
        known = ("edges", "metrics_step", "history_step", "arms", "paths")
        names = [n for n in self.pack.shared if n not in known and len(self.pack.shape(n)) == 1]
        sets = {name: self.tensor(name) for name in names}
        if self.paths is not None:
            sets["first_hops"] = np.unique(self.paths[:, 1])
        return sets

    @cached_property
    def map(self) -> Floats | None:
        """The one trained map W [K, m, m] of logit(v|u) = e_u W u_v; None in any other model."""
        model = self.config["model"]
        linear = model["kind"] == "feed_forward" and model["layers"] == 1
        known = self.final and linear and self.has("parameters/map0")
        return self.tensor("parameters/map0").astype(np.float64) if known else None

    @cached_property
    def unembedding(self) -> Floats | None:
        """The output table [K, n, m] where it is not the embedding."""
        known = self.final and self.has("unembedding")
        return self.tensor("unembedding").astype(np.float64) if known else None

    @property
    def scores_known(self) -> bool:
        """Whether E W Uᵀ is what the model scores, and not the same as E Eᵀ.

        Without a map that holds of Node2Vec alone: other models have layers in between.
        """
        direct = self.config["model"]["kind"] == "node2vec" and self.unembedding is not None
        return direct or self.map is not None


def measure(
    members: Sequence[Member],
    compute: Callable[[Batch], Measures],
    history: bool = False,
    passed: Callable[[int], None] | None = None,
) -> list[Row]:
    """One row per run, or with `history` per run and stored step, in the order of the members.

    compute: measures [K] of a batch. A run whose embedding is not finite, as after divergence, has
    none, nor has a measure that is undefined (NaN). passed: told how many runs more are measured.
    """
    rows: list[Sequence[Row]] = [()] * len(members)
    for own, batch in _batches(members):
        runs: Iterable[Sequence[Row]] = ()
        if not history:
            runs = [(row,) for row in _rows(batch, compute, {})]
        elif batch.has(HISTORY):
            past, steps = batch.tensor(HISTORY), batch.tensor("history_step")
            points = [
                replace(batch, embedding=past[:, at].astype(np.float64), final=False)
                for at in range(len(steps))
            ]
            found = [
                _rows(point, compute, {"step": int(step)})
                for point, step in zip(points, steps, strict=True)
            ]
            runs = zip(*found, strict=True)
        for at, run in zip(own, runs, strict=False):
            rows[at] = run
        if passed is not None:
            passed(len(batch.places))
    return [row for run in rows for row in run]


def _batches(members: Sequence[Member]) -> Iterator[tuple[list[int], Batch]]:
    """The runs of each pack: their places among the members, and they together."""
    packs: dict[int, tuple[Pack, list[int]]] = {}
    for own, member in enumerate(members):
        packs.setdefault(id(member.opened), (member.pack, []))[1].append(own)
    for pack, place in packs.values():
        # Read past the sweep's cache: thousands of packs need not be in memory together.
        at = np.array([members[own].at for own in place])
        yield place, Batch(pack, at, pack.tensor("embedding")[at].astype(np.float64))


def _rows(batch: Batch, compute: Callable[[Batch], Measures], extra: dict[str, Value]) -> list[Row]:
    finite = np.isfinite(batch.embedding).all((1, 2))
    found: list[dict[str, float]] = [{} for _ in batch.places]
    if finite.any():
        sound = replace(batch, places=batch.places[finite], embedding=batch.embedding[finite])
        for name, values in compute(sound).items():
            for at, value in zip(np.flatnonzero(finite), values, strict=True):
                if np.isfinite(value):
                    found[at][name] = float(value)
    return [
        Row(member["run"], member["status"], member["steps"], flatten(member["config"]) | extra, v)
        for member, v in zip(batch.members, found, strict=True)
    ]
