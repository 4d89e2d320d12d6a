"""Measuring, shape by shape, how many members make a stack fast, and how many workers a device."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from geomem.train.config import RunConfig
from geomem.train.config.execution import Execution
from geomem.train.sweep.engine import WORKER
from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.gauge import CannotTrainError, Gauge, StoppedError
from geomem.train.sweep.machine import installed
from geomem.train.sweep.overview import run_words
from geomem.train.sweep.plan import stack_key
from geomem.train.sweep.signals import Interruption, SecondSignal, catch_signals
from geomem.train.sweep.sizing import Sizing, room_of
from geomem.train.sweep.slots import Slots, cores
from geomem.train.sweep.tuning import (
    Arrangement,
    Shape,
    Speed,
    Tuning,
    choose_members,
    device_name,
    read_tuning,
    write_tuning,
)
from geomem.train.sweep.words import number, plural

RISE = 1.05
"""How much faster twice the members have to be to count as faster."""
PATIENCE = 2
"""So many doublings in a row that are no faster end the search: one may be noise."""


@dataclass
class Report:
    """What a tuning came to; `failed` shapes could not be trained, each with its cause."""

    tuning: Tuning
    failed: list[str] = field(default_factory=list)
    interrupted: str | None = None


@dataclass(frozen=True)
class Means:
    """With what is measured, for how many seconds each, and who is told of it."""

    slots: Slots
    seconds: float
    say: Callable[[str], None]
    command: Sequence[str] = WORKER


def tune(runs: Sequence[RunConfig], execution: Execution, path: Path, means: Means) -> Report:
    """Measure what the file at `path` does not know yet of the runs' shapes, and write it there.

    The file is written after every measurement, so that an interrupted tuning goes on. Raises
    UsageError if it is of another device or of other versions, ConfigError if it is damaged.
    """
    first: dict[str, RunConfig] = {}
    for run in runs:
        first.setdefault(stack_key(run), run)
    session = _Session(path, means, first, execution)
    try:
        with catch_signals() as signal, tempfile.TemporaryDirectory("-geomem-tune") as folder:
            session.measure(Path(folder), signal)
    except (StoppedError, SecondSignal):
        session.report.interrupted = signal.name
    return session.report


def next_members(measured: Sequence[Speed], most: int) -> int | None:
    """How many members to try next; None when more are too many, or no longer faster."""
    if not measured:
        return 1
    best, idle = 0.0, 0
    for speed in measured:
        idle = 0 if speed.rate > RISE * best else idle + 1
        best = max(best, speed.rate)
    following = 2 * measured[-1].members
    return None if idle >= PATIENCE or following > most else following


def ways_to_arrange(slots: Slots) -> list[tuple[int, int]]:
    """Workers on one device, and threads of each, that are compared; the usual ones first."""
    if slots.device == "cuda":
        return [(1, 1), (2, 1)]
    return [(cores(), 1), (1, cores())] if cores() > 1 else []


class _Session:
    def __init__(
        self, path: Path, means: Means, first: dict[str, RunConfig], execution: Execution
    ) -> None:
        self._path, self._means, self._first = path, means, first
        alone = replace(means.slots, count=1, threads=1, gpus=means.slots.gpus[:1])
        self._alone = alone
        self._sizing = Sizing(execution.stack, room_of(alone))
        self._compile = execution.compile
        self.report = Report(_begun(path, device_name(means.slots, execution)))
        self._shapes = {shape.key: shape for shape in self.report.tuning.shapes}

    def measure(self, folder: Path, signal: Interruption) -> None:
        with self._gauge(self._alone, folder, signal) as gauge:
            for key, run in self._first.items():
                self._measure_sizes(key, run, gauge)
        for workers, threads in ways_to_arrange(self._means.slots):
            with self._gauge(
                replace(self._alone, count=workers, threads=threads), folder, signal
            ) as gauge:
                for key, run in self._first.items():
                    self._measure_way(key, run, workers, threads, gauge)

    @contextmanager
    def _gauge(self, slots: Slots, folder: Path, signal: Interruption) -> Iterator[Gauge]:
        gauge = Gauge(slots, folder, signal, self._means.command, self._compile)
        try:
            yield gauge
        finally:
            gauge.close()

    def _measure_sizes(self, key: str, run: RunConfig, gauge: Gauge) -> None:
        shape = self._shapes.get(key) or Shape(shape=_as_object(key))
        most = self._sizing.most(key, run)
        while shape.too_many is None and (members := next_members(shape.measured, most)):
            try:
                rate = self._rate(run, members, gauge)
            except CannotTrainError as error:
                if not error.memory or members == 1:
                    self._fail(key, run, error)
                    return
                self._say(key, run, f"{plural(members, 'member')}: memory does not suffice")
                shape = shape.model_copy(update={"too_many": members})
                break
            self._say(key, run, f"{plural(members, 'member')}: {number(rate)} member-steps/s")
            measured = [*shape.measured, Speed(members=members, rate=rate)]
            shape = self._keep(key, shape.model_copy(update={"measured": measured}))
        if shape.members is None and shape.measured:
            choice = choose_members(shape.measured)
            self._keep(key, shape.model_copy(update={"members": choice}))

    def _measure_way(
        self, key: str, run: RunConfig, workers: int, threads: int, gauge: Gauge
    ) -> None:
        shape = self._shapes.get(key)
        if shape is None or shape.members is None:
            return
        if any((a.workers, a.threads) == (workers, threads) for a in shape.arrangements):
            return
        way = f"{plural(workers, 'worker')} with {plural(threads, 'thread')}"
        try:
            rate = self._rate(run, shape.members, gauge)
        except CannotTrainError as error:
            self._say(key, run, f"{way}: {error}")
            return
        self._say(key, run, f"{way}: {number(rate)} member-steps/s")
        found = Arrangement(workers=workers, threads=threads, rate=rate)
        self._keep(key, shape.model_copy(update={"arrangements": [*shape.arrangements, found]}))

    def _rate(self, run: RunConfig, members: int, gauge: Gauge) -> float:
        runs = [run.model_copy(update={"seed": seed}) for seed in range(members)]
        return float(f"{gauge.rate(runs, self._means.seconds):.4g}")

    def _keep(self, key: str, shape: Shape) -> Shape:
        self._shapes[key] = shape
        shapes = list(self._shapes.values())
        self.report.tuning = self.report.tuning.model_copy(update={"shapes": shapes})
        write_tuning(self._path, self.report.tuning)
        return shape

    def _fail(self, key: str, run: RunConfig, error: CannotTrainError) -> None:
        self.report.failed.append(f"{shape_name(run)}: {error}")
        self._say(key, run, f"cannot be trained: {error}")

    def _say(self, key: str, run: RunConfig, text: str) -> None:
        place = list(self._first).index(key) + 1
        self._means.say(f"[{place}/{len(self._first)}] {shape_name(run)}: {text}")


def shape_name(run: RunConfig) -> str:
    """A shape on one line: graph, model and task."""
    return ", ".join(" ".join(words) for words in run_words(run).values())


def _as_object(key: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(key)
    return found


def _begun(path: Path, device: str) -> Tuning:
    """The tuning so far."""
    versions = {name: installed(name) for name in ("geomem", "torch")}
    if not path.exists():
        return Tuning(device=device, versions=versions, shapes=[])
    found = read_tuning(path)
    if (found.device, found.versions) != (device, versions):
        raise UsageError(
            f"{path} was measured on {found.device} with {_listed(found.versions)}, here are "
            f"{device} and {_listed(versions)}; give --out another file, or delete this one"
        )
    return found


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
