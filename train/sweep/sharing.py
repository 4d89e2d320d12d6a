"""Which stacks are trained as one although their graphs differ in size. No tensors.

A step of a stack costs its launches, which members share, and its operations. Side by side, every
member does the operations of the largest graph. Where launches dominate, as with tiny graphs, that
is a gain; where products do, padding is a loss. Packs and journal know nothing of it: each stack
leaves its own pack.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, takewhile
from typing import NamedTuple

from geomem.train.canonical import canonical_json
from geomem.train.config.execution import Execution
from geomem.train.config.model import FeedForward, Node2Vec
from geomem.train.config.run import RunConfig
from geomem.train.config.task import InWeights
from geomem.train.sweep.plan import stack_fields, stack_key
from geomem.train.sweep.size import token_operations
from geomem.train.sweep.sizing import Sizing
from geomem.train.sweep.slots import Slots
from geomem.train.sweep.task_size import TaskSize, Work, paths_of, task_size

GAIN = 0.9
"""Of what stacks cost by themselves, what they may cost as one."""

_FEW_LAUNCHES = 0.5
"""Of what a step's launches are taken to cost, those of a feed-forward net."""


class Candidate(NamedTuple):
    """A stack as planning sees it: one of its runs, members, and steps of its longest run."""

    run: RunConfig
    members: int
    steps: int
    attempt: int = 0


@dataclass(frozen=True)
class _Stack:
    """A candidate, its place among them, the size of its task, and what `Sizing` says of it."""

    place: int
    of: Candidate
    size: TaskSize
    most: int
    launch: float
    member: float

    @property
    def operations(self) -> int:
        return token_operations(self.of.run.model, self.size.work, self.size.vocabulary)


@dataclass(frozen=True)
class _Job:
    """Stacks as one: all of the size of the largest."""

    stacks: tuple[_Stack, ...]

    @cached_property
    def members(self) -> int:
        return sum(stack.of.members for stack in self.stacks)

    @cached_property
    def cost(self) -> float:
        """Of the training, in the unit of `Sizing.step_cost`."""
        sizes, model = [stack.size for stack in self.stacks], self.stacks[0].of.run.model
        work = Work(*map(max, zip(*(size.work for size in sizes), strict=True)))
        padded = token_operations(model, work, max(size.vocabulary for size in sizes))
        member = max(stack.member * padded / stack.operations for stack in self.stacks)
        step = max(stack.launch for stack in self.stacks) + self.members * member
        return step * max(stack.of.steps for stack in self.stacks)


def share_key(run: RunConfig) -> str | None:
    """What stacks that can be trained as one have in common; None where it cannot be.

    Dropout counts the elements that it draws for, and padding would shift them.
    """
    fields, task = stack_fields(run), run.task
    if not isinstance(task, InWeights) or isinstance(run.model, Node2Vec):
        return None
    if fields["model"]["dropout"]:
        return None
    assert run.graph is not None
    return canonical_json(fields | {"graph": paths_of(run.graph, task).length})


def share_sizes(
    candidates: Sequence[Candidate], execution: Execution, sizing: Sizing, slots: Slots
) -> list[list[int]]:
    """Divide stacks, by their places, into those that are trained as one.

    Several are where they are estimated to end sooner by a tenth, all workers counted. On a GPU
    none are: what sharing gains there has not been measured.
    """
    apart = [[place] for place in range(len(candidates))]
    if execution.share_sizes == "never" or slots.device != "cpu":
        return apart
    buckets = _buckets(candidates, sizing)
    single = [_Job((stack,)) for bucket in buckets for stack in bucket]
    # No more members than give every worker as much; often fewer balance better.
    fair = sum(job.members for job in single) // slots.count
    caps = takewhile(lambda cap: cap > 1, (fair >> halvings for halvings in count()))
    options = [[job for bucket in buckets for job in _join(bucket, cap)] for cap in caps]
    best = min(options, key=lambda jobs: _end(jobs, slots.count), default=single)
    if _end(best, slots.count) > GAIN * _end(single, slots.count):
        return apart
    together = [sorted(stack.place for stack in job.stacks) for job in best]
    taken = {place for places in together for place in places}
    return sorted(together + [places for places in apart if places[0] not in taken])


def _buckets(candidates: Sequence[Candidate], sizing: Sizing) -> list[list[_Stack]]:
    """Stacks that can be trained as one, smaller vocabularies first, where there are several."""
    found: dict[tuple[str, int], list[_Stack]] = {}
    for place, of in enumerate(candidates):
        if (shared := share_key(of.run)) is not None:
            key = stack_key(of.run)
            most, cost = sizing.most(key, of.run), sizing.step_cost(key, of.run)
            few = _FEW_LAUNCHES if isinstance(of.run.model, FeedForward) and not sizing.timed else 1
            stack = _Stack(place, of, task_size(of.run), most, few * cost.launch, cost.member)
            found.setdefault((shared, of.attempt), []).append(stack)
    buckets = [bucket for bucket in found.values() if len(bucket) > 1]
    return [sorted(bucket, key=lambda stack: stack.size.vocabulary) for bucket in buckets]


def _join(bucket: Sequence[_Stack], cap: int) -> list[_Job]:
    """Join stacks of neighbouring sizes as long as it pays, up to `cap` members."""
    jobs: list[_Job] = []
    for stack in bucket:
        if jobs and _pays(jobs[-1], stack, cap):
            jobs[-1] = _Job((*jobs[-1].stacks, stack))
        else:
            jobs.append(_Job((stack,)))
    return jobs


def _pays(job: _Job, stack: _Stack, cap: int) -> bool:
    joined = _Job((*job.stacks, stack))
    if joined.members > min(cap, *(stack.most for stack in joined.stacks)):
        return False
    return joined.cost <= GAIN * (job.cost + _Job((stack,)).cost)


def _end(jobs: Sequence[_Job], slots: int) -> float:
    """When the last job ends if each, the costliest first, goes to the worker that is free."""
    free = [0.0] * slots
    for cost in sorted((job.cost for job in jobs), reverse=True):
        heapq.heapreplace(free, free[0] + cost)
    return max(free)
