"""What commands say of a sweep directory that was damaged, and what `verify` repairs."""

import hashlib
import json
import re
from functools import partial
from pathlib import Path

import pytest

from geomem.train.cli import cli
from geomem.train.packs import PackError, open_pack
from geomem.train.sweep.errors import LostPacksError, StoreError
from geomem.train.sweep.store import open_committed
from tests import calls

call = partial(calls.call, cli)


def test_a_plan_that_lost_runs_is_damage_until_the_sweep_runs_again(copy):
    plan = copy.out / "plan.jsonl"
    plan.write_text("".join(plan.read_text().splitlines(keepends=True)[1:]))
    for command in ("status", "results", "verify"):
        with pytest.raises(StoreError, match=r"plan.jsonl: lacks 1 run of those with results"):
            call(command, copy.out)
    copy.run()
    assert len(call("results", copy.out, "--csv").splitlines()) == 1 + 8


def test_an_edited_plan_is_damage_and_does_not_change_the_results(copy):
    plan, before = copy.out / "plan.jsonl", call("results", copy.out)
    lines = plan.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if '"lr":0.001' in line)
    lines[at] = lines[at].replace('"lr":0.001', '"lr":0.002')
    plan.write_text("".join(lines))
    with pytest.raises(StoreError, match=rf"plan.jsonl:{at + 1}: this line's configuration is not"):
        call("verify", copy.out)
    assert call("results", copy.out) == before


def test_a_sweep_without_its_name_is_damaged(copy):
    (copy.out / "sweep.json").write_text('{"format":1}')
    with pytest.raises(StoreError, match=r"sweep.json: damaged"):
        call("status", copy.out)


def test_a_sweep_that_lost_its_description_is_told_so(copy):
    copy.folder.about.unlink()
    with pytest.raises(StoreError, match=r"sweep\.json: missing; 'sweep' with the grid and the"):
        call("verify", copy.out)
    assert call("status", copy.out).startswith("unnamed  ")
    copy.write_grid(seeds="0-3", rates="1e-2, 1e-3", stack=2)
    copy.run()
    assert "all as they were committed" in call("verify", copy.out)


def test_verify_looks_at_every_file_of_the_sweep(copy):
    copy.folder.graphs.mkdir()
    good = copy.folder.graphs / hashlib.sha256(b"a b\n").hexdigest()
    good.write_bytes(b"a b\n")
    assert "all as they were committed" in call("verify", copy.out)
    good.write_bytes(b"a c\n")
    with pytest.raises(StoreError, match=rf"{good.name}: altered; delete it"):
        call("verify", copy.out)
    good.unlink()
    copy.folder.about.write_text("{}")
    with pytest.raises(StoreError, match=r"sweep\.json: damaged"):
        call("verify", copy.out)


class TestDamage:
    def pack(self, copy):
        return open_pack(copy.folder.packs / next(iter(copy.state.commits.values())).pack)

    def damage(self, copy, kind):
        pack = self.pack(copy)
        data = bytearray(pack.path.read_bytes())
        if kind == "magic":
            data[0] ^= 0xFF
        elif kind == "header":
            data[data.index(b"diverged")] ^= 1
        elif kind == "payload":
            data[-1] ^= 1
        elif kind == "empty":
            data.clear()
        elif kind == "truncated":
            del data[-10:]
        elif kind == "zero tail":
            data[-64:] = bytes(64)
        if kind == "missing":
            pack.path.unlink()
        elif kind == "swapped":
            other = next(path for path in copy.folder.packs.iterdir() if path != pack.path)
            data = other.read_bytes()
        if kind != "missing":
            pack.path.write_bytes(data)
        return pack.path.name

    @pytest.mark.parametrize(
        "kind", ["magic", "header", "payload", "truncated", "zero tail", "missing", "swapped"]
    )
    def test_it_is_found_and_repaired(self, copy, kind):
        expected = copy.tensors()
        name = self.damage(copy, kind)
        text = call("verify", copy.out, code=5)
        assert f"packs/{name}: " in text
        assert "2 packs, " in text
        if kind not in ("payload", "zero tail"):  # `results` reads the measures alone
            remedy = f"; queue its runs again with: geomem-train verify {copy.out} --repair$"
            with pytest.raises(PackError, match=f"{name}: .*{remedy}"):
                call("results", copy.out)
        repaired = call("verify", copy.out, "--repair")
        assert ("it was missing" in repaired) == (kind == "missing")
        assert copy.counts["pending"] == 2
        copy.write_grid(seeds="0-3", rates="1e-2, 1e-3", stack=2)
        copy.run()
        assert copy.tensors() == expected
        assert "all as they were committed" in call("verify", copy.out)
        assert (copy.folder.packs / f"{name}.damaged").exists() == (kind != "missing")

    @pytest.mark.parametrize(
        ("kind", "told"),
        [
            ("missing", "No such file or directory"),
            ("empty", r"0 bytes, [\d,]+ were committed"),
            ("truncated", r"[\d,]+ bytes, [\d,]+ were committed"),
        ],
    )
    def test_status_and_sweep_see_what_is_gone(self, copy, kind, told):
        name, remedy = self.damage(copy, kind), f"geomem-train verify {copy.out} --repair"
        text = call("status", copy.out, code=5)
        assert re.search(rf"1 pack unusable:\n .*packs/{name}: {told}\n", text)
        assert remedy in text
        found = json.loads(call("status", copy.out, "--json", code=5))
        assert [Path(loss["pack"]).name for loss in found["damaged"]] == [name]
        assert re.fullmatch(told, found["damaged"][0]["problem"])
        assert found["next"] == remedy
        with pytest.raises(LostPacksError, match=rf"packs/{name}: {told}(\n|$)") as info:
            copy.run()
        assert info.value.exit_code == 5
        assert remedy in info.value.__notes__[0]
        call("verify", copy.out, "--repair")
        assert remedy not in call("status", copy.out)

    def test_what_cannot_be_looked_at_is_not_lost(self, copy):
        path = self.pack(copy).path
        path.unlink()
        path.symlink_to(path.name)
        found = json.loads(call("status", copy.out, "--json", code=5))
        assert found["damaged"][0]["problem"] == "Too many levels of symbolic links"
        assert found["next"] is None

    def test_a_tensor_names_the_remedy(self, copy):
        self.damage(copy, "payload")
        commit = next(iter(copy.state.commits.values()))
        pack = open_committed(copy.folder, commit)
        (tensor,) = pack.damaged()
        with pytest.raises(PackError, match=f"SHA-256 does not match; .* {copy.out} --repair$"):
            pack.tensor(tensor)

    def test_what_a_repair_would_not_help_names_none(self, copy):
        commit = next(iter(copy.state.commits.values()))
        pack = open_committed(copy.folder, commit)
        with pytest.raises(PackError) as info:
            pack.tensor("embeding")
        assert "verify" not in str(info.value)
        pack.path.unlink()
        pack.path.symlink_to(pack.path.name)
        with pytest.raises(PackError, match=r"Too many levels of symbolic links$"):
            call("results", copy.out)

    def test_a_sound_sweep(self, made):
        assert call("verify", made.out).endswith(": all as they were committed\n")

    def test_a_pack_that_nobody_committed(self, copy):
        (copy.folder.packs / f"{'0' * 16}-{'1' * 8}.safetensors").write_bytes(b"left over")
        text = call("verify", copy.out)
        assert "not committed, left by a killed process" in text

    def test_a_garbled_journal(self, copy):
        lines = copy.journal().read_bytes().splitlines(keepends=True)
        lines[1] = b"x" + lines[1]
        copy.journal().write_bytes(b"".join(lines))
        for command in ("status", "results", "verify"):
            with pytest.raises(StoreError, match=r"main\.jsonl:2: "):
                call(command, copy.out)
        with pytest.raises(StoreError):
            copy.run()

    def test_a_damaged_plan_or_description(self, copy):
        for path in (copy.folder.plan, copy.folder.about):
            old = path.read_bytes()
            path.write_bytes(old[:-30])
            with pytest.raises(StoreError, match=path.name):
                call("status", copy.out)
            path.write_bytes(old)

    def test_a_directory_of_a_newer_version(self, copy):
        about = json.loads(copy.folder.about.read_text())
        copy.folder.about.write_text(json.dumps({**about, "format": 2}))
        with pytest.raises(StoreError, match="format 2 of geomem"):
            call("status", copy.out)
