"""Embeddings of runs as files for other programs, with what identifies each run inside.

n nodes · m embedding width
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from geomem.train.canonical import canonical_json
from geomem.train.packs import Pack, atomic_write
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.results import Value, flat_fields
from geomem.train.sweep.state import read_state
from geomem.train.sweep.store import current_packs
from geomem.train.sweep.where import select_some

SUFFIXES = {"safetensors": ".safetensors", "npz": ".npz"}
_LEFT_OUT = ("metrics/", "history/", "parameters/")
_SHORT = 12  # hexadecimal digits of a run's id in names


@dataclass(frozen=True, eq=False)
class Source:
    """A pack that several runs are in."""

    pack: Pack


@lru_cache(maxsize=64)
def _tensor(source: Source, name: str) -> NDArray[Any]:
    # Runs of one pack follow each other, so that this reads, and checks, each tensor once.
    return source.pack.tensor(name)


@dataclass(frozen=True)
class Chosen:
    """A run that is meant, and its place in its pack."""

    source: Source
    at: int

    @property
    def pack(self) -> Pack:
        """The pack that the run is in."""
        return self.source.pack

    @property
    def about(self) -> dict[str, Any]:
        """run (id), seed, status, steps and config of the run, and the nodes' names if any."""
        names = self.pack.metadata.get("node_names")
        return self.pack.members[self.at] | ({"node_names": names} if names else {})

    @property
    def fields(self) -> dict[str, Value]:
        """The same, flat, as conditions name it."""
        return flat_fields(self.pack.members[self.at])

    @property
    def short(self) -> str:
        """The run's id, as far as names hold it."""
        return str(self.about["run"])[:_SHORT]

    @property
    def name(self) -> str:
        """For a file: graph (or task, where there is none), model, seed and id."""
        config, seed = self.about["config"], self.about["seed"]
        of = (config["graph"] or config["task"])["kind"]
        return f"{of}-{config['model']['kind']}-seed{seed}-{self.short}"

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The embedding [n, m], in canonical node order, and the graph that it is of."""
        names = [name for name in self.pack.names if not name.startswith(_LEFT_OUT)]
        names = [name for name in names if name not in ("metrics_step", "history_step")]
        shared = self.pack.shared
        return {
            name: _tensor(self.source, name)[... if name in shared else self.at] for name in names
        }


def choose(directory: Path, conditions: Sequence[str]) -> list[Chosen]:
    """The runs of a sweep that have results and meet every condition.

    Raises UsageError if there are none, PackError for damage.
    """
    folder = Folder(directory)
    packs = [(Source(pack), of) for pack, of in current_packs(folder, read_state(folder))]
    runs = [Chosen(source, at) for source, members in packs for at, _ in members]
    return select_some(directory, conditions, runs, lambda run: run.fields)


def bundles(
    runs: Sequence[Chosen], folder: Path, suffix: str, together: bool
) -> Iterator[tuple[Path, list[Chosen]]]:
    """The files to write: one for each run, or one of all."""
    if together:
        yield folder / f"embeddings{suffix}", list(runs)
    else:
        for run in runs:
            yield folder / f"{run.name}{suffix}", [run]


def write_bundle(path: Path, runs: Sequence[Chosen], together: bool) -> None:
    """Write safetensors or npz, as the path's suffix says, atomically.

    One run's tensors have their own names; of several, each name starts with the first 12 digits
    of the run's id and a slash. `geomem` is canonical JSON: {"format": 1, "runs": [...]}, as the
    one metadata key of safetensors, or as a string among the arrays of npz.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for run in runs:
        prefix = f"{run.short}/" if together else ""
        tensors |= {prefix + name: array for name, array in run.tensors().items()}
    text = canonical_json({"format": 1, "runs": [run.about for run in runs]})
    if path.suffix == ".npz":
        _write_npz(path, tensors, text)
    else:
        from safetensors.numpy import save

        whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        atomic_write(path, save(whole, {"geomem": text}))


def _write_npz(path: Path, tensors: Mapping[str, NDArray[Any]], text: str) -> None:
    def write(file: BinaryIO) -> None:
        np.savez(file, allow_pickle=False, geomem=np.array(text), **tensors)

    atomic_write(path, write)
