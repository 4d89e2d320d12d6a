"""A sweep as a researcher meets it: a table of runs, and arrays for those that are of interest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geomem.train.packs import Pack
from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.results import flat_fields
from geomem.train.sweep.state import read_state
from geomem.train.sweep.store import current_packs
from geomem.train.sweep.where import select, select_some

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.floating[Any]]


class OpenPack:
    """A pack whose tensors are read, and checked, once."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.tensor = lru_cache(maxsize=None)(pack.tensor)


@dataclass(frozen=True)
class Member:
    """One run in its pack; `at` is its place on the member axis."""

    opened: OpenPack
    at: int

    @property
    def pack(self) -> Pack:
        """The pack that the run is in."""
        return self.opened.pack

    @cached_property
    def config(self) -> dict[str, Any]:
        """The run's whole configuration."""
        config: dict[str, Any] = self.pack.members[self.at]["config"]
        return config

    @cached_property
    def row(self) -> dict[str, Any]:
        """run (id), status, steps and every field of the configuration under its dotted name."""
        return flat_fields(self.pack.members[self.at])

    @property
    def done(self) -> bool:
        """Whether the run reached its end."""
        return bool(self.row["status"] == "done")

    def has(self, name: str) -> bool:
        """Whether the pack holds the tensor."""
        return name in self.pack.entries

    def tensor(self, name: str) -> NDArray[Any]:
        """A shared tensor, or the member's row of one that leads with members. Do not write to it.

        Raises PackError if there is none, or if it is damaged.
        """
        values: NDArray[Any] = self.opened.tensor(name)
        return values if name in self.pack.shared else values[self.at]

    def final(self, metric: str) -> float:
        """The last value of a metric that is a number; NaN if the run has none."""
        if not self.has(f"metrics/{metric}"):
            return float("nan")
        values = self.tensor(f"metrics/{metric}")
        values = values[~np.isnan(values)]
        return float(values[-1]) if len(values) else float("nan")


@dataclass(frozen=True)
class Sweep:
    """Runs that have results, in the order of the grid, as `geomem-train results` has them."""

    path: Path
    members: Sequence[Member] = field(repr=False)

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def where(self, *conditions: str) -> "Sweep":
        """The runs that meet every condition, such as "model.kind=mamba" or "arms>=256".

        Raises UsageError for a field that no run has.
        """
        return Sweep(self.path, select(conditions, self.members, lambda member: member.row))

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """One flat row per run: id, status, steps and configuration."""
        return [member.row for member in self.members]

    def table(self) -> "pd.DataFrame":
        """The rows as a pandas table; needs pandas."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def embeddings(self, *conditions: str) -> tuple[Floats, list[Mapping[str, Any]]]:
        """Embeddings [R, n, m] in canonical node order, and the R runs that they are of.

        Raises UsageError if no run meets the conditions, and ValueError if the runs do not agree in
        n and m; narrow the conditions then.
        """
        if not self.members:
            raise UsageError(f"{self.path}: no run is left to take embeddings of")
        members = select_some(self.path, conditions, self.members, lambda member: member.row)
        chosen = Sweep(self.path, members)
        arrays = [member.tensor("embedding") for member in chosen]
        shapes = {array.shape for array in arrays}
        if len(shapes) != 1:
            found = ", ".join(map(str, sorted(shapes)))
            raise ValueError(f"the runs' embeddings have to be of one shape, got {found}")
        return np.stack(arrays), chosen.rows


def open_sweep(path: str | Path) -> Sweep:
    """Open a sweep directory; raises GeomemError for one that is none, PackError for damage."""
    folder = Folder(Path(path))
    state = read_state(folder)
    found: dict[str, Member] = {}
    for pack, places in current_packs(folder, state):
        opened = OpenPack(pack)
        found |= {run: Member(opened, at) for at, run in places}
    return Sweep(Path(path), [found[run] for run in state.runs if run in found])


def open_sweeps(paths: Sequence[str | Path]) -> Sweep:
    """Open several sweep directories as one, under the path of the first; raises as `open_sweep`.

    A run that several of them have counts once.
    """
    members = [member for path in paths for member in open_sweep(path)]
    once = {member.row["run"]: member for member in reversed(members)}
    return Sweep(Path(paths[0]), [m for m in members if once[m.row["run"]] is m])
