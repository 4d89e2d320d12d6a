"""A sweep from beginning to end, and what happens to it when the grid or the user changes."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from geomem.train.packs import open_pack, writer
from geomem.train.sweep.errors import FolderError, InUseError, LostPacksError, UsageError
from geomem.train.sweep.folder import slug
from geomem.train.sweep.lock import Shard, drive
from geomem.train.sweep.tally import Tally
from tests.train.sweep.helpers import Sweeper


def test_every_run_is_done(sweeper, capfd):
    assert sweeper.run(quiet=False) == 0
    assert sweeper.counts == {"done": 8}
    assert len(sweeper.packs()) == 2
    assert not list(sweeper.folder.checkpoints.iterdir())
    out, err = capfd.readouterr()
    assert out == ""
    assert "8 runs; 2 stacks to train with 2 workers on cpu" in err
    assert "8 runs: 8 done" in err
    assert "member-steps/s" in err
    assert f"geomem-train results {sweeper.out}" in err


def test_sources_that_are_not_installed_sweep_too(sweeper, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(writer, "version", missing)
    assert sweeper.run() == 0
    assert json.loads(sweeper.folder.about.read_bytes())["geomem"] == "unknown"


def test_a_pack_names_its_stack(sweeper):
    sweeper.run()
    for commit in sweeper.state.commits.values():
        pack = open_pack(sweeper.folder.packs / commit.pack)
        assert pack.metadata["stack"] == commit.stack
        assert pack.metadata["sha256"] == commit.sha256


def test_a_finished_sweep_starts_no_worker(sweeper, capfd):
    sweeper.run()
    before = sweeper.journal().read_bytes(), sweeper.packs()
    for path in sweeper.folder.logs.iterdir():
        path.unlink()
    assert sweeper.run() == 0
    assert (sweeper.journal().read_bytes(), sweeper.packs()) == before
    assert not list(sweeper.folder.logs.iterdir())
    assert "finished already" in capfd.readouterr().err


def test_noise_on_stdout_does_not_disturb(sweeper, fake):
    fake(hog=True)
    assert sweeper.run() == 0
    assert "a library greets" in (sweeper.folder.logs / "worker-1.log").read_text()


def test_progress_without_a_terminal(sweeper, capfd, monkeypatch):
    """A line for each report, as several may come before the driver's next turn."""
    stepped = Tally.stepped

    def told(tally, *report):
        stepped(tally, *report)
        tally.tick()

    monkeypatch.setattr(Tally, "stepped", told)
    monkeypatch.setattr("geomem.train.sweep.progress._LINE_SECONDS", 0)
    sweeper.run(quiet=False)
    err = capfd.readouterr().err
    lines = [line for line in err.splitlines() if "in training" in line]
    assert lines
    assert "\x1b" not in err
    assert "/8 runs" in lines[-1]
    assert any("median loss" in line for line in lines)


class TestChangedGrid:
    def test_runs_are_reused_and_new_ones_added(self, sweeper, capfd):
        sweeper.run()
        before = sweeper.tensors()
        names = sweeper.packs()
        sweeper.write_grid(seeds="4-11")
        assert sweeper.run() == 0
        assert "the grid changed: 4 runs kept, 4 new, 4 orphaned" in capfd.readouterr().err
        state = sweeper.state
        assert sweeper.counts == {"done": 8}
        assert len(state.orphans) == 4
        assert set(names) < set(sweeper.packs())
        after = sweeper.tensors()
        assert {run: after[run] for run in before} == before

    def test_back_again_trains_nothing(self, sweeper, capfd):
        sweeper.run()
        sweeper.write_grid(seeds="0-3")
        assert sweeper.run() == 0
        sweeper.write_grid(seeds="0-7")
        capfd.readouterr()
        assert sweeper.run() == 0
        assert "finished already" in capfd.readouterr().err
        assert len(sweeper.packs()) == 2

    def test_an_unfinished_stack_that_lost_members_is_made_anew(self, sweeper, fake):
        sweeper.write_grid(workers=1)
        fake(full=4)
        with pytest.raises(FolderError):
            sweeper.run()
        assert sweeper.counts == {"done": 4, "pending": 4}
        fake()
        sweeper.write_grid(workers=1, seeds="0-5")
        assert sweeper.run() == 0
        assert sweeper.counts == {"done": 6}
        assert {len(c.members) for c in sweeper.state.commits.values()} == {4, 2}
        sweeper.write_grid(workers=1)
        assert sweeper.run() == 0
        assert sweeper.counts == {"done": 8}
        assert [len(c.members) for c in sweeper.state.commits.values()] == [4, 2, 2]

    def test_same_results_however_divided(self, sweeper, tmp_path):
        sweeper.write_grid(seeds="0-5")
        sweeper.run()
        sweeper.write_grid(seeds="0-9", stack=3)
        sweeper.run()
        other = Sweeper(tmp_path, "other")
        other.write_grid(seeds="0-9", stack=2)
        other.run()
        assert sweeper.tensors() == other.tensors()

    def test_an_edge_list_may_move(self, sweeper, fake, tmp_path):
        edges = tmp_path / "edges.txt"
        edges.write_text("a b\nb c\n")
        text = sweeper.grid.read_text()
        graph = "{kind: path_star, arms: 4, length: 5}"
        sweeper.grid.write_text(text.replace(graph, f"{{kind: edge_list, path: {edges}}}"))
        fake(full=0)
        with pytest.raises(FolderError):
            sweeper.run()
        fake()
        moved = edges.rename(tmp_path / "moved.txt")
        sweeper.grid.write_text(text.replace(graph, f"{{kind: edge_list, path: {moved}}}"))
        assert sweeper.run() == 0
        for commit in sweeper.state.commits.values():
            members = open_pack(sweeper.folder.packs / commit.pack).members
            assert {m["config"]["graph"]["path"] for m in members} <= {str(edges), str(moved)}
            late = commit.time == max(c.time for c in sweeper.state.commits.values())
            assert not late or members[0]["config"]["graph"]["path"] == str(moved)

    def test_a_name_is_data(self, sweeper):
        sweeper.write_grid(name='"../../x"')
        assert sweeper.run() == 0
        assert sorted(p.name for p in sweeper.tmp.iterdir()) == ["grid.yaml", "sweep"]


class TestRetry:
    def test_failed_runs_are_tried_again(self, sweeper, fake, capfd):
        fake(fail=1)
        assert sweeper.run() == 3
        err = capfd.readouterr().err
        assert "4 runs failed: ValueError: this run cannot be trained (logs/worker-" in err
        assert "geomem-train sweep again --retry failed" in err
        assert sweeper.counts == {"done": 4, "failed": 4}
        assert sweeper.run() == 3  # without --retry nothing is tried
        fake()
        assert sweeper.run(retry=("failed",)) == 0
        assert sweeper.counts == {"done": 8}

    def test_a_failure_keeps_the_traceback(self, sweeper, fake):
        fake(fail=1)
        sweeper.run()
        failure = next(iter(sweeper.state.failures.values()))
        assert "in misbehave" in failure.tail
        assert "Traceback" in (sweeper.out / failure.log).read_text()

    def test_a_later_commit_wins(self, sweeper, fake):
        sweeper.write_grid(workers=1)
        fake(diverge=[2, 3])
        assert sweeper.run() == 3
        assert sweeper.counts == {"done": 6, "diverged": 2}
        first = sweeper.packs()
        fake()
        assert sweeper.run(retry=("diverged",)) == 0
        assert sweeper.counts == {"done": 8}
        assert set(first) < set(sweeper.packs())
        retried = {r.commit.pack for r in sweeper.state.results.values() if r.commit.attempt == 1}
        assert len(retried) == 1

    def test_an_interrupted_retry_goes_on_by_itself(self, sweeper, fake):
        fake(fail=1)
        sweeper.run()
        fake(full=1)
        with pytest.raises(FolderError):
            sweeper.run(retry=("failed",))
        assert sweeper.counts["pending"] >= 2
        fake()
        assert sweeper.run() == 0


class TestShards:
    def test_shards_share_the_work(self, sweeper):
        sweeper.write_grid(seeds="0-10", stack=2)
        for index in (1, 2, 3):
            assert sweeper.run(shard=Shard(index, 3)) == 0
            assert (sweeper.folder.logs / f"shard-{index}-of-3-worker-1.log").exists()
        assert sweeper.counts == {"done": 11}
        assert sorted(p.name for p in sweeper.folder.journal.glob("*.jsonl")) == [
            f"shard-{index}-of-3.jsonl" for index in (1, 2, 3)
        ]
        assert sweeper.run() == 0

    def test_a_shard_reports_its_own_failures(self, sweeper, fake):
        sweeper.write_grid(stack=1, workers=1)
        fake(fail=0)
        codes = {index: sweeper.run(shard=Shard(index, 2)) for index in (1, 2)}
        assert sorted(codes.values()) == [0, 3]
        fake()
        failed = next(index for index, code in codes.items() if code == 3)
        assert sweeper.run(shard=Shard(3 - failed, 2), retry=("failed",)) == 0
        assert sweeper.counts == {"done": 7, "failed": 1}
        assert sweeper.run(shard=Shard(failed, 2), retry=("failed",)) == 0
        assert sweeper.counts == {"done": 8}


class TestRefused:
    """Locks apart, whoever is refused leaves the directory as it was."""

    @staticmethod
    def contents(sweeper):
        files = (path for path in sweeper.out.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files if path.suffix != ".lock"}

    def test_another_grid_beside_a_shard_at_work(self, sweeper):
        sweeper.run(shard=Shard(1, 2))
        before = self.contents(sweeper)
        sweeper.write_grid(name="other", seeds="0-3")
        with (
            drive(sweeper.folder.journal, Shard(1, 2)),
            pytest.raises(InUseError, match=r"the grid changed, but .* in use by shard-1-of-2"),
        ):
            sweeper.run(shard=Shard(2, 2))
        assert self.contents(sweeper) == before

    def test_a_graph_that_changes_meanwhile(self, sweeper, monkeypatch):
        def changed(copies, files):
            raise UsageError("edges.txt changed while the sweep was started; start it again")

        sweeper.run()
        before = self.contents(sweeper)
        sweeper.write_grid(name="other", seeds="0-3")
        monkeypatch.setattr("geomem.train.sweep.opening.keep_graphs", changed)
        with pytest.raises(UsageError, match="start it again"):
            sweeper.run()
        assert self.contents(sweeper) == before

    def test_a_pack_that_is_gone(self, sweeper):
        sweeper.run()
        gone = sweeper.folder.packs / sweeper.packs()[0]
        gone.unlink()
        before = self.contents(sweeper)
        sweeper.write_grid(name="other", seeds="0-9")
        with pytest.raises(LostPacksError, match=f"1 pack unusable:\n  {gone}: No such file"):
            sweeper.run()
        assert self.contents(sweeper) == before


class TestLostPacks:
    def test_a_shard_looks_at_its_own(self, sweeper):
        sweeper.write_grid(stack=4, workers=1)
        sweeper.run(shard=Shard(1, 2))
        first = sweeper.packs()
        assert sweeper.run(shard=Shard(2, 2)) == 0
        assert len(first) == 1
        (sweeper.folder.packs / first[0]).unlink()
        assert sweeper.run(shard=Shard(2, 2)) == 0
        with pytest.raises(LostPacksError):
            sweeper.run(shard=Shard(1, 2))

    def test_those_of_orphaned_runs_may_go_until_the_grid_has_them_again(self, sweeper):
        sweeper.write_grid(workers=1)
        sweeper.run()
        orphan = sweeper.state.results[sweeper.state.runs[4]].commit.pack
        sweeper.write_grid(workers=1, seeds="0-3")
        (sweeper.folder.packs / orphan).unlink()
        assert sweeper.run() == 0
        sweeper.write_grid(workers=1)
        with pytest.raises(LostPacksError, match=orphan):
            sweeper.run()


class TestPlaces:
    @pytest.mark.parametrize("name", ["packs", "journal", "logs", "checkpoints"])
    def test_a_file_in_the_way(self, sweeper, name):
        sweeper.out.mkdir()
        (sweeper.out / name).write_text("")
        with pytest.raises(FolderError, match=rf"{name} is a file"):
            sweeper.run()
        with pytest.raises(FolderError, match=r"grid\.yaml"):
            Sweeper.at(sweeper.tmp, "grid.yaml/x").folder.prepare()

    @pytest.mark.parametrize("name", ["packs", "journal", "plan.jsonl", "sweep.json"])
    def test_links_are_refused(self, sweeper, tmp_path, name):
        sweeper.run()
        (sweeper.out / name).rename(tmp_path / "elsewhere")
        (sweeper.out / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FolderError, match=f"{name} is a symbolic link"):
            sweeper.run()
        with pytest.raises(FolderError):
            _ = sweeper.state

    def test_a_linked_directory_is_refused(self, sweeper, tmp_path):
        (tmp_path / "real").mkdir()
        sweeper.out.symlink_to(tmp_path / "real")
        with pytest.raises(FolderError, match="symbolic link to"):
            sweeper.run()
        assert not list((tmp_path / "real").iterdir())

    def test_a_directory_of_something_else(self, sweeper):
        sweeper.out.mkdir()
        (sweeper.out / "thesis.tex").write_text("")
        with pytest.raises(UsageError, match=r"thesis\.tex"):
            sweeper.run()
        with pytest.raises(UsageError, match=r"no sweep\.json"):
            _ = sweeper.state

    @pytest.mark.parametrize(
        "name", ["../../x", "CON", "con", "a/b", "", ".", "日本", "x" * 300, "a\nb", "Tiny Graphs"]
    )
    def test_slugs_are_harmless(self, name):
        made = slug(name)
        assert made
        assert len(made) < 64
        assert made == made.lower()
        assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
        assert made not in {"con", "-"}
        assert slug(name + " ") != made

    def test_a_plain_name_is_its_slug(self):
        assert slug("path_star") == "path_star"
        assert slug("tiny-graphs") == "tiny-graphs"

    def test_cuda_without_a_gpu(self, sweeper, monkeypatch):
        monkeypatch.setattr("geomem.train.sweep.slots._GPU_FILES", ())
        sweeper.grid.write_text(sweeper.grid.read_text().replace("{stack", "{device: cuda, stack"))
        with pytest.raises(UsageError, match="finds no GPU"):
            sweeper.run()
        assert not sweeper.out.exists()


def test_a_driver_needs_no_torch():
    names = "run, status, results, table, export, store, worker"
    code = f"from geomem.train.sweep import {names}; import sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
