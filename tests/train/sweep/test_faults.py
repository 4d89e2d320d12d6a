"""Workers that die, memory and disks that end, folders that refuse."""

import contextlib
import errno
import itertools
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from geomem.train.packs import DiskError
from geomem.train.sweep import engine
from geomem.train.sweep.errors import EngineError, FolderError
from geomem.train.sweep.status import read_status, render_status
from geomem.train.sweep.worker import classify
from tests.train.sweep import helpers
from tests.train.sweep.helpers import Sweeper, wait_for


class TestMemory:
    def test_stacks_are_halved_until_they_fit(self, sweeper, fake, tmp_path, capfd):
        starts = tmp_path / "starts"
        sweeper.write_grid(seeds="0-15", stack=8, workers=1)
        fake(oom=3, starts=str(starts))
        assert sweeper.run() == 0
        assert sweeper.counts == {"done": 16}
        sizes = [int(line.split()[0]) for line in starts.read_text().splitlines()]
        # The second stack of 8 is never tried at 8 or 4: the size is remembered.
        assert sizes == [8, 4] + [2] * 8
        assert (
            "out of memory with 8 runs in a stack: going on with halves" in capfd.readouterr().err
        )

    def test_a_resumed_sweep_uses_the_halves(self, sweeper, fake, tmp_path):
        starts = tmp_path / "starts"
        sweeper.write_grid(workers=1)
        fake(oom=2, full=3)
        with pytest.raises(FolderError):
            sweeper.run()
        done = sweeper.packs()
        fake(oom=2, starts=str(starts))
        assert sweeper.run() == 0
        assert {line.split()[0] for line in starts.read_text().splitlines()} == {"2"}
        assert set(done) < set(sweeper.packs())

    def test_new_runs_of_that_shape_are_not_planned_larger(self, sweeper, fake, tmp_path):
        starts = tmp_path / "starts"
        sweeper.write_grid(workers=1, seeds="0-3")
        fake(oom=2)
        sweeper.run()
        sweeper.write_grid(workers=1, seeds="0-8")
        fake(oom=2, starts=str(starts))
        assert sweeper.run() == 0
        assert max(int(line.split()[0]) for line in starts.read_text().splitlines()) == 2

    def test_one_run_that_does_not_fit_fails_alone(self, sweeper, fake, capfd):
        sweeper.write_grid(seeds="0-3", stack=2)
        fake(oom=0)
        assert sweeper.run() == 3
        assert sweeper.counts == {"failed": 4}
        causes = {failure.cause for failure in sweeper.state.failures.values()}
        assert all(cause.startswith("out of memory (oom): ") for cause in causes)
        assert all("for this run: give it a smaller graph" in cause for cause in causes)
        assert "Try what failed again" in capfd.readouterr().err

    def test_a_run_beyond_the_machine_is_told_its_size(self, sweeper, fake, capfd):
        sweeper.write_grid(seeds="0-1")
        text = sweeper.grid.read_text()
        huge = "layers: 256, width: 65536, mlp_ratio: 64"
        sweeper.grid.write_text(text.replace("layers: 1, width: 32", huge))
        fake(oom=0)
        assert sweeper.run(quiet=False) == 3
        (cause,) = {failure.cause for failure in sweeper.state.failures.values()}
        assert re.search(r"an estimate says .* PB for this run, and the machine has only", cause)
        assert "a smaller graph, model or batch, or a machine with more memory" in cause
        assert "DefaultCPUAllocator" not in cause
        err = capfd.readouterr().err
        assert "warning: 2 runs may not fit: an estimate says up to" in err
        hopeless = "What failed would fail again here; where there is more memory:\n"
        assert hopeless in err
        assert hopeless in render_status(read_status(sweeper.folder))

    def test_results_of_halves_are_those_of_the_whole(self, sweeper, fake, tmp_path):
        fake(oom=2)
        sweeper.run()
        whole = Sweeper(tmp_path, "whole")
        fake()
        whole.run()
        assert sweeper.tensors() == whole.tensors()

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (MemoryError(), "memory"),
            (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory."), "memory"),
            (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "memory"),
            (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
            (OSError(errno.ENOSPC, "No space left on device"), "disk"),
            (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk"),
            (DiskError(Path("x"), PermissionError(errno.EACCES, "Permission denied")), "disk"),
            (PermissionError(errno.EACCES, "Permission denied"), "error"),
            (RuntimeError("shapes differ"), "error"),
        ],
    )
    def test_errors_are_told_apart(self, error, kind):
        assert classify(error) == kind

    def test_memory_that_ran_out_before_another_error_is_what_counts(self):
        def fails():
            try:
                raise MemoryError
            finally:
                raise RuntimeError("operation failed: capture is not ended")

        with pytest.raises(RuntimeError) as failed:
            fails()
        assert classify(failed.value) == "memory"


class TestWorkers:
    def test_a_killed_worker_is_replaced(self, sweeper, fake, tmp_path, capfd):
        token = tmp_path / "token"
        token.touch()
        fake(die=3, token=str(token), once=True)
        assert sweeper.run() == 0
        assert sweeper.counts == {"done": 8}
        assert "the worker was killed by SIGKILL; its stack starts again" in capfd.readouterr().err

    def test_a_poison_stack_is_set_aside(self, sweeper, fake, tmp_path, capfd):
        token, starts = tmp_path / "token", tmp_path / "starts"
        token.touch()
        fake(die=3, token=str(token), starts=str(starts))
        assert sweeper.run() == 3
        assert sweeper.counts == {"done": 4, "failed": 4}
        assert len(starts.read_text().splitlines()) == 4  # three tries, and the neighbours
        assert (
            "killed by SIGKILL, more often than execution.retries allows" in capfd.readouterr().err
        )

    def test_workers_that_do_not_start(self, sweeper, fake):
        fake(no_start=True)
        with pytest.raises(
            EngineError, match=r"exit status 1 before it was ready.*\n.*no torch"
        ) as i:
            sweeper.run()
        assert i.value.exit_code == 1
        assert sweeper.counts == {"pending": 8}

    def test_a_worker_that_cannot_be_started(self, sweeper, monkeypatch, tmp_path):
        monkeypatch.setattr(helpers, "FAKE", (str(tmp_path / "no-python"),))
        with pytest.raises(EngineError, match=r"cannot start a worker, .*no-python: No such"):
            sweeper.run()
        assert sweeper.counts == {"pending": 8}

    def test_a_worker_ends_with_its_driver(self, tmp_path):
        command = [*engine.WORKER]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
            assert b"Ready" in worker.stdout.readline()
            worker.send_signal(signal.SIGTERM)  # a batch system's: the driver decides
            worker.stdin.close()
            assert worker.wait(60) == 0


class TestSignals:
    def test_a_worker_that_does_not_listen_is_killed(self, sweeper, fake, monkeypatch, capfd):
        monkeypatch.setattr(engine, "_PATIENCE_SECONDS", 0.3)
        sweeper.write_grid(steps=1000)
        fake(sleep=0.05, deaf=True, starts=str(sweeper.starts))

        def stop():
            wait_for(sweeper.is_training)
            os.kill(os.getpid(), signal.SIGTERM)

        thread = threading.Thread(target=stop)
        thread.start()
        assert sweeper.run() == 75
        thread.join()
        assert "SIGTERM: writing checkpoints" in capfd.readouterr().err
        assert sweeper.counts == {"pending": 8}

    def test_handlers_are_put_back(self, sweeper):
        before = signal.getsignal(signal.SIGTERM)
        sweeper.run()
        assert signal.getsignal(signal.SIGTERM) == before


class TestDisk:
    def test_each_write_fails_in_turn(self, sweeper, monkeypatch):
        sweeper.run()
        expected, failures = sweeper.tensors(), 0
        for number in range(100):
            shutil.rmtree(sweeper.out)
            calls = itertools.count()

            def full(step, path, calls=calls, number=number):
                if step != "journalled" and next(calls) == number:
                    raise OSError(errno.ENOSPC, "No space left on device")

            with monkeypatch.context() as patch, contextlib.suppress(DiskError):
                patch.setattr("geomem.train.packs.atomic.failpoint", full)
                patch.setattr("geomem.train.sweep.journal.failpoint", full)
                assert sweeper.run() == 0
                break
            failures += 1
            assert sweeper.run() == 0
            assert sweeper.tensors() == expected
            assert len(sweeper.packs()) == 2
        assert failures == 3 * 5 + 2 * 2  # steps of three files, and of two journal lines

    def test_a_limit_on_file_sizes(self, sweeper, fake):
        fake(full=0)
        with pytest.raises(FolderError, match="No space left"):
            sweeper.run()
        fake()
        before = set(sweeper.state.commits)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        try:
            process = sweeper.start()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with process:
            err = process.stderr.read()
        assert process.returncode == 74
        assert "File too large; " in err
        assert "bytes are needed" in err
        assert "The same command resumes" in err
        assert before <= set(sweeper.state.commits)
        assert not [p for p in sweeper.packs() if p.endswith(".tmp")]
        assert sweeper.run() == 0


def as_nobody(function):
    """Run a function without root's powers; its return value is an exit code."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            code = function()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("mode", [0o555, 0o000])
@pytest.mark.parametrize("place", [".", "sweep", "sweep/packs", "sweep/journal"])
def test_a_folder_without_permission_is_refused_before_training(place, mode):
    # Not under tmp_path: pytest makes that unreachable for others.
    tmp = Path(tempfile.mkdtemp())
    try:
        tmp.chmod(0o777)
        sweeper = Sweeper(tmp)
        if place != ".":
            assert as_nobody(lambda: sweeper.folder.prepare() or 0) == 0
        (tmp / place).chmod(mode)

        def refused():
            try:
                sweeper.folder.prepare()
            except FolderError as error:
                return 74 if "Permission denied" in str(error) and str(tmp) in str(error) else 1
            return 0

        assert as_nobody(refused) == 74
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
