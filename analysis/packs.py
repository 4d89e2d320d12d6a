"""Members of a sweep as a researcher meets them: a configuration and its arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomem.train.packs import Pack
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.state import read_state
from geomem.train.sweep.store import current_packs

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Member:
    """One run in its pack; `at` is its place on the member axis."""

    pack: Pack
    at: int

    @property
    def config(self) -> dict[str, Any]:
        """The run's whole configuration."""
        config: dict[str, Any] = self.pack.members[self.at]["config"]
        return config

    @property
    def done(self) -> bool:
        """Whether the run reached its end."""
        return bool(self.pack.members[self.at]["status"] == "done")

    def tensor(self, name: str) -> NDArray[Any]:
        """A shared tensor, or the member's row of one that leads with members."""
        values = self.pack.tensor(name)
        return values if name in self.pack.shared else values[self.at]

    def final(self, metric: str) -> float:
        """The last value of a metric that is a number; NaN if the run has none."""
        name = f"metrics/{metric}"
        if name not in self.pack.names:
            return float("nan")
        values = self.tensor(name)
        values = values[~np.isnan(values)]
        return float(values[-1]) if len(values) else float("nan")


def members_of(sweep: Path) -> Iterator[Member]:
    """Yield every run of a sweep that has results; raises PackError for a damaged pack."""
    folder = Folder(sweep)
    for pack, members in current_packs(folder, read_state(folder)):
        yield from (Member(pack, at) for at, _ in members)
