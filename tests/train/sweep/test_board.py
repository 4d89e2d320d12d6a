"""In which order stacks are handed out."""

from geomem.train.sweep.board import Board
from geomem.train.sweep.events import Group
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.plan import plan_stacks
from geomem.train.sweep.planfile import Line
from geomem.train.sweep.sizing import Sizing
from geomem.train.sweep.state import State


def test_the_costliest_stack_is_handed_out_first(make_run, tmp_path):
    runs = [
        *(make_run(seed) for seed in range(2)),
        *(make_run(seed, train={"steps": 99}, model={"width": 32}) for seed in range(3)),
        *(make_run(seed, train={"steps": 500}) for seed in range(2, 4)),
    ]
    stacks = plan_stacks(runs, Sizing(2), 1)
    lines = [
        Line(0, run, stack.id, config.model_dump(mode="json"))
        for stack in stacks
        for run, config in zip(stack.run_ids, stack.runs, strict=True)
    ]
    jobs = [(Group(stack=stack.id, attempt=0, runs=stack.run_ids),) for stack in stacks]
    board = Board(State(lines, []), jobs, Folder(tmp_path), None, 0, Sizing())
    place = {stack.id: i for i, stack in enumerate(stacks)}
    order = [place[board.take()[0].stack] for _ in stacks]
    assert [len(stack.runs) for stack in stacks] == [2, 2, 2, 1]
    assert order == [1, 2, 3, 0]
