"""One call of `geomem-train sweep`, from the locked directory to the exit code."""

import shlex
from collections.abc import Sequence

from geomem.train.config import RunConfig, read_config
from geomem.train.config.execution import Execution
from geomem.train.errors import Exit, GeomemError
from geomem.train.sweep.board import Board, Job
from geomem.train.sweep.engine import WORKER, Engine, Means
from geomem.train.sweep.events import Group
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.opening import Planner, Request, Sweep, open_sweep, own_runs
from geomem.train.sweep.outlook import look_ahead
from geomem.train.sweep.plan import Stack, plan_stacks
from geomem.train.sweep.progress import Told, display, say
from geomem.train.sweep.sharing import Candidate, share_sizes
from geomem.train.sweep.signals import Interruption, SecondSignal, catch_signals
from geomem.train.sweep.slots import resolve_slots
from geomem.train.sweep.state import State
from geomem.train.sweep.store import current_packs
from geomem.train.sweep.summary import (
    describe_counts,
    describe_failures,
    describe_packs,
    describe_speed,
    exit_code,
    group_failures,
    when_to_retry,
)
from geomem.train.sweep.tally import Tally
from geomem.train.sweep.words import plural


def run_sweep(
    folder: Folder,
    request: Request,
    execution: Execution,
    again: str,
    quiet: bool = False,
    command: Sequence[str] = WORKER,
) -> int:
    """Train what is left of a sweep and return the exit code: 0, 3 or 75.

    `again` is the command that the user would type to go on; `command` starts a worker.
    Raises GeomemError with its own exit code for everything that stops a sweep.
    """
    slots, sizing, notes = look_ahead(execution, request.grid.runs, resolve_slots(execution))
    for note in notes:
        say(note)
    writer = request.shard.name if request.shard else "main"
    means = Means(slots, execution, sizing, writer, command)
    with catch_signals() as signal:
        try:
            with open_sweep(folder, request, planner(means, request)) as sweep:
                return _drive(sweep, means, signal, again, quiet)
        except SecondSignal:
            say(f"{signal.name} again: stopped at once. The same command resumes:\n  {again}")
            return Exit.INTERRUPTED


def planner(means: Means, request: Request) -> Planner:
    """How this sweep divides runs into stacks: enough of them for every slot of every shard."""
    shards = request.shard.count if request.shard else 1

    def plan(runs: Sequence[RunConfig], attempt: int) -> list[Stack]:
        return plan_stacks(runs, means.sizing, means.slots.count * shards, attempt=attempt)

    return plan


def _drive(sweep: Sweep, means: Means, signal: Interruption, again: str, quiet: bool) -> int:
    for note in sweep.notes:
        say(note)
    state, mine = sweep.state, own_runs(sweep.state, sweep.shard)
    if not sweep.groups:
        say(f"{sweep.folder.root} is finished already, nothing to train")
        if means.execution.parameters and not _keeps_parameters(sweep):
            say("execution.parameters comes too late for it; train into another folder, by --out")
        return _finish(sweep.folder, state, mine, again)
    jobs, retries = _jobs(sweep, means), means.execution.retries
    board = Board(state, jobs, sweep.folder, sweep.journal, retries, means.sizing)
    if not quiet:
        say(_plan_line(sweep, means))
    with display(quiet) as shown:
        steps = sum(board.steps(group) for group in sweep.groups)
        told = Told(shown, sweep.sign.tell)
        tally = Tally(state.count(mine), len(sweep.groups), steps, told)
        try:
            finished = Engine(board, sweep.folder, means, tally, signal).run()
        except GeomemError as error:
            error.add_note(f"What is committed is safe. The same command resumes:\n  {again}")
            raise
    state = State(state.lines, [*state.events, *board.events])
    say(describe_speed(tally, means.slots))
    if finished:
        return _finish(sweep.folder, state, mine, again)
    say(f"interrupted by {signal.name}; {describe_counts(state.count(mine))}")
    say(f"The same command resumes:\n  {again}")
    return Exit.INTERRUPTED


def _keeps_parameters(sweep: Sweep) -> bool:
    packs = (pack for pack, _ in current_packs(sweep.folder, sweep.state))
    return all(any(name.startswith("parameters/") for name in pack.names) for pack in packs)


def _jobs(sweep: Sweep, means: Means) -> list[Job]:
    """What to train, divided as if none of it were done: a resumed job finds its checkpoint."""
    state, shard = sweep.state, sweep.shard
    own = [
        group
        for group in state.current
        if shard is None or state.owner(group, shard.count) == shard.index
    ]
    waiting = {group.stack for group in sweep.groups}
    stacks = [_candidate(state, group) for group in own]
    divided = share_sizes(stacks, means.execution, means.sizing, means.slots)
    jobs = [tuple(own[at] for at in job if own[at].stack in waiting) for job in divided]
    return [job for job in jobs if job]


def _candidate(state: State, group: Group) -> Candidate:
    configs = [state.line_of[run].config for run in group.runs]
    steps = max(int(config["train"]["steps"]) for config in configs)
    run = read_config(configs[0])
    return Candidate(run, len(configs), steps, group.attempt)


def _plan_line(sweep: Sweep, means: Means) -> str:
    counts = sweep.state.count(own_runs(sweep.state, sweep.shard))
    done = counts.total() - counts["pending"]
    resumed = f", {done:,} of them done before" if done else ""
    used = min(means.slots.count, len(sweep.groups))
    where = f"{plural(used, 'worker')} on {means.slots.device}"
    stacks = plural(len(sweep.groups), "stack")
    return f"{plural(counts.total(), 'run')}{resumed}; {stacks} to train with {where}"


def _finish(folder: Folder, state: State, runs: Sequence[str], again: str) -> int:
    counts = state.count(runs)
    causes = group_failures(state, runs)
    for line in describe_failures(causes):
        say(line)
    say(describe_counts(counts))
    say(describe_packs(state, folder))
    say(f"See the measures:\n  {shlex.join(['geomem-train', 'results', str(folder.root)])}")
    if counts["failed"]:
        say(f"{when_to_retry(causes)}:\n  {again} --retry failed")
    return exit_code(counts)
