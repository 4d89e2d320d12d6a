"""How large stacks may be on which device."""

import json
import subprocess

import pytest

from geomem.train.config.execution import Execution
from geomem.train.sweep import slots as slots_module
from geomem.train.sweep.outlook import look_ahead
from geomem.train.sweep.size import CHUNK_BYTES, member_bytes
from geomem.train.sweep.sizing import CPU_ROOM, GPU_SHARE, Sizing, Tuned, room_of
from geomem.train.sweep.slots import Slots, resolve_slots
from geomem.train.sweep.words import size

GIB = 2**30


def most(run, **fields):
    return Sizing(**fields).most("key", run)


def test_stacks_fill_their_memory(make_run):
    assert most(make_run()) == CPU_ROOM.members
    large = make_run(model={"width": 512, "layers": 4})
    assert 1 < most(large) < CPU_ROOM.members
    assert most(large) * member_bytes(large) < CPU_ROOM.bytes
    assert most(make_run(model={"width": 4096, "layers": 12})) == 1


def test_a_gpu_has_more_room_and_shares_it():
    gpu = Slots("cuda", 1, 1, ("0",), "big", 100 * GIB)
    assert room_of(gpu).bytes == GPU_SHARE * 100 * GIB
    assert room_of(gpu).members > 1000
    shared = Slots("cuda", 4, 1, ("0", "1"), "big", 100 * GIB)
    assert room_of(shared).bytes == GPU_SHARE * 50 * GIB


def test_what_is_not_known_is_not_assumed():
    assert room_of(Slots("cuda", 1, 1)) == CPU_ROOM
    assert room_of(Slots("cpu", 8, 1, memory=GIB)) == CPU_ROOM


def test_a_gpu_takes_thousands_of_tiny_runs(make_run):
    room = room_of(Slots("cuda", 1, 1, ("0",), "big", 140 * GIB))
    assert most(make_run(), room=room) == room.members
    wide = make_run(model={"width": 1024, "layers": 12, "heads": 16})
    assert most(wide) == 1 < most(wide, room=room)


def test_the_grid_wins_over_a_tuning_and_a_tuning_over_memory(make_run):
    tuned = {"key": Tuned(7, 3, (0.5, 0.25))}
    for members, expected, source in [("auto", 7, "tuning"), (5, 5, "grid")]:
        sizing = Sizing(members, tuned=tuned)
        assert (sizing.most("key", make_run()), sizing.source("key")) == (expected, source)
    sizing = Sizing(tuned=tuned)
    assert (sizing.source("other"), sizing.most("other", make_run())) == ("memory", 256)
    assert (sizing.least("key", make_run()), sizing.least("other", make_run())) == (3, 32)


def test_large_models_may_stand_in_small_stacks(make_run):
    large = make_run(graph={"arms": 256, "length": 5}, model={"width": 64, "layers": 2})
    assert Sizing().least("key", large) == 1
    assert Sizing().least("key", make_run()) == CPU_ROOM.least


def test_gpus_are_asked_for_elsewhere(monkeypatch, tmp_path):
    found = [["NVIDIA H200", 150 * GIB], ["NVIDIA H200", 140 * GIB]]
    answer = subprocess.CompletedProcess([], 0, json.dumps(found), "")
    monkeypatch.setattr(slots_module, "_GPU_FILES", (tmp_path,))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    slots = resolve_slots(Execution())
    assert slots == Slots("cuda", 2, 1, ("GPU-a", "GPU-b"), "NVIDIA H200", 140 * GIB)
    answer.returncode = 1
    assert resolve_slots(Execution()).device == "cpu"


def test_runs_that_exceed_the_memory_are_said_beforehand(make_run):
    small, large = make_run(), make_run(model={"width": 4096, "layers": 12})
    runs = [small, large, make_run(seed=1), large.model_copy(update={"seed": 1})]
    needed = member_bytes(large) + CHUNK_BYTES
    tight, wide = (Slots("cpu", 1, 1, memory=needed + more) for more in (-1, 0))
    (note,) = look_ahead(Execution(), runs, tight).notes
    assert note.startswith("warning: 2 runs may not fit: an estimate says up to ")
    assert f"{size(needed)} each, and the cpu has {size(needed - 1)}" in note
    assert look_ahead(Execution(), runs, wide).notes == ()
    assert look_ahead(Execution(), runs, Slots("cuda", 1, 1)).notes == ()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_cpu_has_a_name_and_memory(workers):
    slots = resolve_slots(Execution(device="cpu", workers=workers))
    assert slots.count == workers
    assert 2**28 < slots.memory < 2**50
    assert "core" in slots.name
