"""How runs are divided into stacks."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomem.train.config import run_id
from geomem.train.sweep.plan import plan_stacks, stack_key
from geomem.train.sweep.sizing import Sizing


def planned(runs, members, slots, attempt=0):
    return plan_stacks(runs, Sizing(members), slots, attempt)


def sizes(stacks):
    return [len(stack.runs) for stack in stacks]


@pytest.fixture
def seeds(make_run):
    return lambda count, **sections: [make_run(seed, **sections) for seed in range(count)]


@pytest.mark.parametrize(
    "sections",
    [
        {"optim": {"lr": 1.0, "weight_decay": 0.0, "betas": [0.5, 0.5], "eps": 1e-3}},
        {"optim": {"warmup_steps": 3, "schedule": "constant", "clip": 1.0}},
        {"model": {"token_std": 1.0, "position_std": 1.0, "weight_std": 1.0}},
        {"train": {"steps": 99, "divergence_loss": 9.0}},
        {"train": {"stop_when": {"metric": "first_hop", "reaches": 1.0}}},
    ],
)
def test_members_may_differ_in(make_run, sections):
    assert stack_key(make_run(seed=3, **sections)) == stack_key(make_run())


def test_members_may_differ_in_their_rate_for_edges(make_run):
    staged = {"task": {"recipe": "staged"}, "train": {"edge_steps": 5}}
    own = make_run(seed=3, optim={"edge_lr": 1.0, "edge_warmup_steps": 2}, **staged)
    assert stack_key(own) == stack_key(make_run(**staged))


@pytest.mark.parametrize(
    "sections",
    [
        {"graph": {"arms": 7}},
        {"task": {"self_edges": True}},
        {"model": {"width": 32}},
        {"model": {"tie": False}},
        {"model": {"freeze_embeddings": True}},
        {"model": {"kind": "feed_forward"}},
        {"model": {"dropout": 0.1}},
        {"train": {"edge_batch": 3}},
        {"train": {"eval_every": 3}},
        {"train": {"history_every": 3}},
    ],
)
def test_members_share(make_run, sections):
    assert stack_key(make_run(**sections)) != stack_key(make_run())


def test_rates_of_dropout_may_differ(make_run):
    low, high = (make_run(model={"dropout": rate}) for rate in (0.1, 0.2))
    assert stack_key(low) == stack_key(high)


def test_stages_have_to_end_together(make_run):
    staged = {"recipe": "staged"}
    early, late, longer = (
        make_run(task=staged, train={"edge_steps": edge, "steps": steps})
        for edge, steps in [(2, 12), (3, 12), (2, 20)]
    )
    assert stack_key(early) != stack_key(late)
    assert stack_key(early) == stack_key(longer)


def test_edge_lists_are_told_apart_by_content(make_run):
    graph = {"kind": "edge_list", "path": "/a", "sha256": "0" * 64}
    key = stack_key(make_run(graph=graph))
    assert key == stack_key(make_run(graph={**graph, "path": "/b"}))
    assert key != stack_key(make_run(graph={**graph, "sha256": "1" * 64}))


def test_divided_evenly_in_order_of_first_appearance(seeds):
    wide, narrow = seeds(5, model={"width": 32}), seeds(3)
    mixed = [run for pair in zip(wide, narrow, strict=False) for run in pair] + wide[3:]
    stacks = planned(mixed, 2, slots=1)
    assert sizes(stacks) == [2, 2, 1, 2, 1]
    assert [run for stack in stacks for run in stack.runs] == wide + narrow


def test_every_slot_gets_work_the_costliest_stack_first(seeds):
    long, short = seeds(6, train={"steps": 100}), seeds(6, model={"width": 8})
    assert sizes(planned([*short, *long], 256, slots=1)) == [6, 6]
    assert sizes(planned([*short, *long], 256, slots=4)) == [6, 2, 2, 2]
    assert sizes(planned([*short, *long], 256, slots=99)) == [1] * 12


def test_automatic_members(seeds):
    assert sizes(planned(seeds(600), "auto", slots=1)) == [200, 200, 200]


def test_no_worker_is_left_alone_with_a_third_stack(seeds):
    large = {"graph": {"arms": 256, "length": 5}, "model": {"width": 64}}
    assert sizes(planned(seeds(9, **large), 3, slots=2)) == [3, 2, 2, 2]
    assert sizes(planned(seeds(9), 3, slots=2)) == [3, 3, 3], "tiny models lose more than they gain"
    assert sizes(planned(seeds(600), "auto", slots=2)) == [150] * 4


def test_nothing_to_plan():
    assert planned([], "auto", slots=4) == []


def test_ids(seeds):
    runs = seeds(4)
    (stack,) = planned(runs, 4, slots=1)
    assert stack.run_ids == tuple(run_id(run) for run in runs)
    assert planned(runs, 4, slots=1)[0] == stack
    assert planned(runs, 4, slots=1, attempt=1)[0].id != stack.id
    assert planned(runs[::-1], 4, slots=1)[0].id != stack.id
    assert stack.id == "0e12f33684dc550e78fee3a958af146034a237394602f590c58b9431e4ccb587"


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    members=st.integers(1, 5),
    slots=st.integers(1, 12),
)
def test_a_plan_is_a_partition(seeds, counts, members, slots):
    runs = [run for i, n in enumerate(counts) for run in seeds(n, graph={"arms": 4 + i})]
    stacks = planned(runs, members, slots)
    assert [run for stack in stacks for run in stack.runs] == runs
    assert len(stacks) >= min(slots, len(runs))
    assert max(sizes(stacks)) <= members
    for key in {stack_key(run) for run in runs}:
        own = [len(s.runs) for s in stacks if stack_key(s.runs[0]) == key]
        assert max(own) - min(own) <= 1
    assert len({stack.id for stack in stacks}) == len(stacks)


def test_planning_needs_no_torch():
    code = "import sys, geomem.train.sweep.plan as p; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
