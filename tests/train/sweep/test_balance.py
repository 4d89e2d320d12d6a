"""Workers finish close together, on made-up costs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomem.train.sweep.balance import SPREAD, Load, balanced_parts, schedule_longest_first


def finishes(loads, parts, slots):
    return sorted(slot.finish for slot in schedule_longest_first(loads, parts, slots))


def test_the_costliest_goes_first_to_the_free_slot():
    loads = [Load(2, 0, 3), Load(1, 0, 5), Load(2, 0, 2)]
    plan = schedule_longest_first(loads, [2, 1, 2], 2)
    assert sorted(plan) == [(7.0, (1, 2)), (8.0, (0, 0, 2))]


@pytest.mark.parametrize(
    ("runs", "parts", "slots", "expected"),
    [
        (96, 3, 2, 4),  # an odd stack out
        (96, 4, 2, 4),
        (90, 1, 2, 2),
        (1700, 17, 16, 32),
        (64, 1, 1, 1),
        (0, 0, 4, 0),
    ],
)
def test_equal_stacks_come_out_even(runs, parts, slots, expected):
    loads, parts = ([Load(runs, 0, 1)], [parts]) if runs else ([], [])
    assert sum(balanced_parts(loads, parts, slots)) == expected


def test_a_stack_of_its_own_size_is_filled_up_by_smaller_ones():
    loads = [Load(10, 0, 10.0), Load(100, 0, 1.0)]
    parts = balanced_parts(loads, [1, 1], 2)
    assert parts == [1, 1]
    assert finishes(loads, parts, 2) == [100, 100]


def test_stacks_keep_their_least_members():
    odd = [Load(96, 0, 1, least=32)]
    assert balanced_parts(odd, [3], 2) == [3]
    assert balanced_parts([Load(96, 0, 1, least=24)], [3], 2) == [4]
    assert balanced_parts([Load(5, 0, 1, least=32)], [1], 4) == [4], "an idle slot is worse"


def test_one_run_that_outlasts_everything_tears_nothing_up():
    loads = [Load(1, 0, 1e6), Load(1000, 0, 1)]
    assert balanced_parts(loads, [1, 4], 2) == [1, 4]


def test_launches_that_cost_more_than_they_gain_are_not_spent():
    assert balanced_parts([Load(9, 100, 1)], [3], 2) == [3]
    assert balanced_parts([Load(9, 0.1, 1)], [3], 2) == [4]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            Load,
            runs=st.integers(1, 300),
            launch=st.floats(0, 50),
            member=st.floats(0.01, 100),
            least=st.integers(1, 40),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 16),
)
def test_any_division_ends_no_later_and_is_possible(loads, slots):
    before = [-(-load.runs // 64) for load in loads]
    parts = balanced_parts(loads, before, slots)
    assert parts == balanced_parts(loads, before, slots)
    for load, old, count in zip(loads, before, parts, strict=True):
        assert old <= count <= load.runs
        assert sum(load.sizes(count)) == load.runs
    assert sum(parts) >= min(slots, sum(load.runs for load in loads))
    if sum(before) >= slots:
        assert finishes(loads, parts, slots)[-1] <= finishes(loads, before, slots)[-1]


@settings(deadline=None)
@given(st.integers(2, 16), st.integers(1, 60))
def test_without_launches_any_number_of_runs_is_even(slots, stacks):
    loads = [Load(1024 * stacks, 0, 1)]
    ends = finishes(loads, balanced_parts(loads, [stacks], slots), slots)
    assert ends[0] >= (1 - SPREAD) * ends[-1]
