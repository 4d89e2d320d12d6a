"""Tuning files: what stands in them, what a plan makes of them, and how damage is told."""

import json
from pathlib import Path

import pytest

from geomem.train.config import ConfigError, load_grid
from geomem.train.config.execution import Execution
from geomem.train.sweep.outlook import arranged, look_ahead
from geomem.train.sweep.plan import plan_stacks, stack_key
from geomem.train.sweep.slots import Slots
from geomem.train.sweep.tuning import (
    Arrangement,
    Shape,
    Speed,
    Tuning,
    choose_members,
    read_tuning,
    tuned,
    write_tuning,
)

HERE = Slots("cpu", 2, 1, name="here")
RATES = {1: 100.0, 2: 180.0, 4: 300.0, 8: 310.0, 16: 305.0}


def speeds(rates=None):
    return [Speed(members=n, rate=rate) for n, rate in (rates or RATES).items()]


def shape_of(run, members=4, ways=()):
    return Shape(
        shape=json.loads(stack_key(run)),
        measured=speeds(),
        members=members,
        arrangements=[Arrangement(workers=w, threads=t, rate=r) for w, t, r in ways],
    )


@pytest.fixture
def write(tmp_path):
    """Return a function that writes shapes to a file and returns settings that name it."""

    def build(*shapes, device="here", **execution):
        path = tmp_path / "here.json"
        write_tuning(path, Tuning(device=device, versions={"torch": "2"}, shapes=list(shapes)))
        return Execution(tuning=str(path), **execution)

    return build


def test_the_fewest_members_as_good_as_any_are_chosen():
    assert choose_members(speeds()) == 4
    assert choose_members(speeds(), 0.5) == 2
    assert choose_members(speeds({1: 9.0})) == 1


def test_seconds_follow_from_two_sizes(make_run):
    shape = shape_of(make_run()).model_copy(update={"measured": speeds({1: 100.0, 4: 200.0})})
    found = tuned(shape)
    assert found.cost == pytest.approx((0.02 / 3, 0.01 / 3))  # 10 ms alone, 20 ms for four
    assert found.cost.launch + 4 * found.cost.member == pytest.approx(0.02)
    assert tuned(shape.model_copy(update={"members": None})) is None


def test_what_is_written_is_read(make_run, write):
    shapes = [shape_of(make_run(), ways=[(2, 1, 550.0)]), shape_of(make_run(model={"width": 8}))]
    execution = write(*shapes)
    assert read_tuning(Path(execution.tuning)).shapes == shapes
    assert read_tuning(Path(execution.tuning)).shapes[0].key == stack_key(make_run())


def test_sizes_come_from_the_file(make_run, write):
    runs = [make_run(seed) for seed in range(16)]
    outlook = look_ahead(write(shape_of(runs[0])), runs, HERE)
    assert (outlook.notes, outlook.slots) == ((), HERE)
    assert outlook.sizing.source(stack_key(runs[0])) == "tuning"
    assert [len(stack.runs) for stack in plan_stacks(runs, outlook.sizing, 2)] == [4] * 4
    assert look_ahead(write(shape_of(runs[0]), stack=3), runs, HERE).sizing.members == 3
    assert look_ahead(Execution(), runs, HERE).sizing.tuned == {}


def test_another_device_is_said_and_does_not_count(make_run, write):
    outlook = look_ahead(write(shape_of(make_run()), device="there"), [make_run()], HERE)
    assert outlook.sizing.tuned == {}
    assert outlook.notes[0].endswith("was measured on there, this is here: memory decides instead")
    compiled = look_ahead(write(shape_of(make_run()), compile=True), [make_run()], HERE)
    assert "measured on here, this is here, compiled: memory" in compiled.notes[0]


def test_a_missing_shape_is_said_and_falls_back(make_run, write):
    known, new = make_run(), make_run(model={"width": 8})
    unfinished = Shape(shape=json.loads(stack_key(new)), measured=speeds())
    for execution in (write(shape_of(known)), write(shape_of(known), unfinished)):
        outlook = look_ahead(execution, [known, new], HERE)
        assert len(outlook.notes) == 1
        assert "lacks 1 of 2 shapes: memory decides" in outlook.notes[0]
        sources = [outlook.sizing.source(stack_key(run)) for run in (known, new)]
        assert sources == ["tuning", "memory"]
        costs = [outlook.sizing.step_cost(stack_key(run), run).launch for run in (known, new)]
        assert costs[0] == costs[1], "operations for all, as seconds are not known of all"


class TestWorkers:
    def test_the_usual_ones_stay_unless_others_are_clearly_faster(self, make_run):
        run = make_run()
        slower = [(shape_of(run, ways=[(2, 1, 500.0), (1, 2, 520.0)]), 10)]
        faster = [(shape_of(run, ways=[(2, 1, 500.0), (1, 2, 900.0)]), 10)]
        assert arranged(HERE, slower) == HERE
        assert arranged(HERE, faster) == Slots("cpu", 1, 2, name="here")

    def test_all_shapes_count_by_their_steps(self, make_run):
        one = shape_of(make_run(), ways=[(2, 1, 500.0), (1, 2, 900.0)])
        two = shape_of(make_run(), ways=[(2, 1, 900.0), (1, 2, 500.0)])
        assert arranged(HERE, [(one, 10), (two, 1)]).count == 1
        assert arranged(HERE, [(one, 1), (two, 10)]).count == 2

    def test_each_gpu_gets_as_many(self, make_run):
        gpus = Slots("cuda", 2, 1, ("0", "1"), "gpu", 10)
        shape = shape_of(make_run(), ways=[(1, 1, 500.0), (2, 1, 900.0)])
        assert arranged(gpus, [(shape, 1)]).count == 4

    def test_nothing_measured_changes_nothing(self, make_run):
        assert arranged(HERE, []) == HERE
        assert arranged(HERE, [(shape_of(make_run()), 1)]) == HERE
        assert arranged(HERE, [(shape_of(make_run(), ways=[(1, 2, 900.0)]), 1)]) == HERE

    def test_what_the_grid_says_stays(self, make_run, write):
        shape = shape_of(make_run(), ways=[(2, 1, 500.0), (1, 2, 900.0)])
        assert look_ahead(write(shape), [make_run()], HERE).slots.count == 1
        assert look_ahead(write(shape, workers=2), [make_run()], HERE).slots.count == 2


class TestDamage:
    GOOD = '{"format": 1,\n"device": "here",\n"versions": {},\n"shapes": [\n%s\n]}\n'
    SHAPE = '{"shape": {}, "measured": [{"members": 2, "rate": 5}], "members": 2}'

    @pytest.fixture
    def refusal(self, tmp_path):
        def refuse(text):
            path = tmp_path / "t.json"
            path.write_text(text)
            with pytest.raises(ConfigError) as caught:
                read_tuning(path)
            notes = getattr(caught.value, "__notes__", [])
            return "\n".join([str(caught.value).removeprefix(f"{tmp_path}/"), *notes])

        return refuse

    def test_the_good_one_is_good(self, tmp_path):
        (tmp_path / "t.json").write_text(self.GOOD % self.SHAPE)
        assert read_tuning(tmp_path / "t.json").shapes[0].members == 2

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('"format": 1', '"format": 2', "t.json:1:2: format: input should be 1, got 2; "),
            ('"here"', "7", "t.json:2:1: device: input should be a valid string, got 7; "),
            ('"device": "here",', "", "device: field required; "),
            ('"rate": 5', '"rate": 0',
             "t.json:5:43: shapes.0.measured.0.rate: input should be greater than 0, got 0; "),
            ('"rate": 5', '"rat": 5', "measured.0.rat: extra inputs are not permitted, got 5; "),
            ('"members": 2}\n', '"members": 3}\n',
             "t.json:5:1: shapes.0: members 3 is none of those measured, [2]; "),
            ('"members": 2}\n', '"members": 2},\n' + SHAPE + "\n",
             "t.json:6:1: shapes.1: the same shape as number 1; "),
        ],
    )  # fmt: skip
    def test_place_value_and_remedy(self, refusal, old, new, message):
        text = refusal((self.GOOD % self.SHAPE).replace(old, new))
        assert message in text
        assert text.endswith("delete it and run 'geomem-train tune' again")

    @pytest.mark.parametrize("text", ["", "{", '{"format": 1, "shapes": [', "[1]", '{"a": NaN'])
    def test_half_a_file(self, refusal, text):
        assert refusal(text).endswith("delete it and run 'geomem-train tune' again")

    def test_no_file(self, tmp_path):
        with pytest.raises(ConfigError, match=r"none\.json: no such file; 'geomem-train tune' wri"):
            read_tuning(tmp_path / "none.json")


def test_a_grid_names_the_file_from_its_own_folder(tmp_path, monkeypatch):
    grid = tmp_path / "g.yaml"
    grid.write_text(
        "version: 1\ndefaults: {graph: {kind: cycle, nodes: 5}, model.kind: transformer,"
        " optim.lr: 1, train.steps: 5}\nexecution: {tuning: sub/t.json}\n"
    )
    monkeypatch.chdir("/")
    assert load_grid(grid).execution.tuning == str(tmp_path / "sub/t.json")
    assert load_grid(grid, ["execution.tuning=/t.json"]).execution.tuning == "/t.json"


class TestMemory:
    def test_the_size_that_fits_is_remembered_and_not_the_tuned_one(self, sweeper, fake, tmp_path):
        starts = tmp_path / "starts"
        sweeper.write_grid(seeds="0-15", stack="auto", workers=1)
        text = sweeper.grid.read_text().replace("retries: 2", "retries: 2, tuning: t.json")
        sweeper.grid.write_text(text)
        self._tune(sweeper, tmp_path / "t.json")
        fake(oom=3, starts=str(starts))
        assert sweeper.run() == 0
        assert sweeper.counts == {"done": 16}
        sizes = [int(line.split()[0]) for line in starts.read_text().splitlines()]
        assert sizes == [8, 4] + [2] * 8
        starts.unlink()
        sweeper.grid.write_text(text.replace("0-15", "0-23"))
        assert sweeper.run() == 0
        assert {line.split()[0] for line in starts.read_text().splitlines()} == {"2"}

    def _tune(self, sweeper, path):
        from geomem.train.sweep.slots import resolve_slots

        loaded = load_grid(sweeper.grid)
        name = resolve_slots(loaded.execution).name
        shape = shape_of(loaded.runs[0], members=8)
        write_tuning(path, Tuning(device=name, versions={}, shapes=[shape]))
