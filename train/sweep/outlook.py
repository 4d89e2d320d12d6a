"""What a sweep is carried out with, from its execution settings, the machine and a tuning file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from geomem.train.config.execution import Execution
from geomem.train.config.run import RunConfig
from geomem.train.config.words import show_path
from geomem.train.sweep.plan import stack_key
from geomem.train.sweep.shortage import run_bytes
from geomem.train.sweep.sizing import Sizing, room_of
from geomem.train.sweep.slots import Slots
from geomem.train.sweep.tuning import FASTEST, Shape, Tuning, device_name, read_tuning, tuned
from geomem.train.sweep.words import plural, size


class Outlook(NamedTuple):
    """Workers, the rules for the sizes of their stacks, and what the user should know of both."""

    slots: Slots
    sizing: Sizing
    notes: tuple[str, ...] = ()


def look_ahead(execution: Execution, runs: Sequence[RunConfig], slots: Slots) -> Outlook:
    """Combine what was asked for with what was measured, if a tuning file is named.

    Of that file counts what was measured on this device; where it says nothing, memory decides.
    Raises ConfigError for a file that is missing or damaged.
    """
    outlook = _sized(execution, runs, slots)
    return outlook._replace(notes=(*outlook.notes, *_too_large(runs, slots)))


def _too_large(runs: Sequence[RunConfig], slots: Slots) -> tuple[str, ...]:
    """A note where runs exceed the device's memory even alone, if that is known."""
    if not slots.memory:
        return ()
    alike: dict[tuple[int, ...], list[RunConfig]] = {}
    for run in runs:  # of a grid share their sections
        key = tuple(map(id, (run.graph, run.model, run.task, run.train)))
        alike.setdefault(key, []).append(run)
    needed = [(run_bytes(group[0]), len(group)) for group in alike.values()]
    large = [(count, of) for count, of in needed if count > slots.memory]
    if not large:
        return ()
    text = f"{plural(sum(of for _, of in large), 'run')} may not fit: an estimate says up to"
    most, has = size(max(large)[0]), size(slots.memory)
    return (f"warning: {text} {most} each, and the {slots.device} has {has}",)


def _sized(execution: Execution, runs: Sequence[RunConfig], slots: Slots) -> Outlook:
    untuned = Outlook(slots, Sizing(execution.stack, room_of(slots)))
    if execution.tuning is None:
        return untuned
    name, tuning = show_path(execution.tuning), read_tuning(Path(execution.tuning))
    here = device_name(slots, execution)
    if tuning.device != here:
        note = f"{name} was measured on {tuning.device}, this is {here}: memory decides instead"
        return untuned._replace(notes=(note,))
    steps: Counter[str] = Counter()
    for run in runs:
        steps[stack_key(run)] += run.train.steps
    return _tuned(execution, slots, _chosen(tuning, steps), steps, name)


def _chosen(tuning: Tuning, steps: Mapping[str, int]) -> dict[str, Shape]:
    return {s.key: s for s in tuning.shapes if s.key in steps and s.members is not None}


def _tuned(
    execution: Execution,
    slots: Slots,
    shapes: Mapping[str, Shape],
    steps: Mapping[str, int],
    name: str,
) -> Outlook:
    notes: tuple[str, ...] = ()
    if missing := len(steps) - len(shapes):
        text = f"{name} lacks {missing:,} of {plural(len(steps), 'shape')}: memory decides for them"
        notes = (f"{text}; 'geomem-train tune' measures what is missing",)
    if execution.workers == "auto" and execution.threads == "auto":
        slots = arranged(slots, [(shape, steps[key]) for key, shape in shapes.items()])
    known = {key: found for key, shape in shapes.items() if (found := tuned(shape))}
    room = room_of(slots)
    return Outlook(slots, Sizing(execution.stack, room, known, timed=not missing), notes)


def arranged(slots: Slots, work: Sequence[tuple[Shape, int]]) -> Slots:
    """The workers and threads that train the shapes' member-steps fastest, as it was measured.

    The usual ones stay unless others are clearly faster.
    """
    devices = max(1, len(slots.gpus))
    usual = (slots.count // devices, slots.threads)
    rates = [{(a.workers, a.threads): a.rate for a in shape.arrangements} for shape, _ in work]
    common = set.intersection(*(set(rate) for rate in rates)) if rates else set()
    if usual not in common:
        return slots
    steps = [count for _, count in work]
    seconds = {
        way: sum(n / rate[way] for n, rate in zip(steps, rates, strict=True)) for way in common
    }
    best = min(sorted(common), key=lambda way: seconds[way])
    if seconds[best] > FASTEST * seconds[usual]:
        return slots
    return replace(slots, count=best[0] * devices, threads=best[1])
