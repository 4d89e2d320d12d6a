"""The worker process: trains one stack after another and writes their packs.

It talks with its driver over stdin and stdout, logs to stderr, and lives no longer than its
driver: at the end of stdin it is gone.
"""

import contextlib
import ctypes
import errno
import math
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from geomem.train.packs import DiskError, write_pack
from geomem.train.packs.atomic import write_all
from geomem.train.sweep import protocol
from geomem.train.sweep.events import Committed, Outcome

if TYPE_CHECKING:
    from geomem.train.config import RunConfig

_DISK = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS}
_NO_MEMORY = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
_PR_SET_PDEATHSIG = 1


class Trainer(NamedTuple):
    """What trains: `train_stacks`, the exception that it raises when stopped, a thread setter."""

    train: Callable[..., Any]
    interrupted: type[Exception]
    set_threads: Callable[[int], None]


def load_trainer() -> Trainer:
    """The real one; imports torch."""
    import torch

    from geomem.train.stack import Interrupted, train_stacks

    return Trainer(train_stacks, Interrupted, torch.set_num_threads)


def main(load: Callable[[], Trainer] = load_trainer) -> None:
    """Serve jobs until stdin ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        # The driver decides: a batch system signals every process of a job at once.
        signal.signal(number, signal.SIG_IGN)
    _die_with_parent()
    out = _private_stdout()
    jobs: queue.SimpleQueue[protocol.Job] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(jobs, stop), daemon=True).start()
    trainer = load()

    def say(message: protocol.Message) -> None:
        write_all(out, protocol.encode(message))

    say(protocol.Ready())
    while True:
        _serve(jobs.get(), trainer, say, stop.is_set)


def _die_with_parent() -> None:
    # On Linux the kernel sees to it even if this process hangs; elsewhere stdin's end has to do.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _private_stdout() -> int:
    """Keep stdout for the driver; what libraries print goes to the log."""
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def _listen(jobs: "queue.SimpleQueue[protocol.Job]", stop: threading.Event) -> None:
    # Not through sys.stdin: Python cannot shut down while a thread waits in its buffer.
    rest = b""
    while data := os.read(0, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if not line:
                stop.set()
            elif isinstance(job := protocol.decode(line), protocol.Job):
                stop.clear()  # the request was meant for the job before
                jobs.put(job)
    os._exit(0)


def _serve(
    job: protocol.Job,
    trainer: Trainer,
    say: Callable[[protocol.Message], None],
    stop: Callable[[], bool],
) -> None:
    name = " + ".join(f"stack {stack.stack[:16]}" for stack in job.stacks)
    _log(f"{name}: {sum(len(stack.runs) for stack in job.stacks)} runs on {job.device}")
    try:
        events = _train(job, trainer, say, stop)
        say(protocol.Done([event.model_dump(mode="json") for event in events]))
    except trainer.interrupted:
        say(protocol.Stopped())
    except Exception as error:
        traceback.print_exc()
        say(_failure(job, error))
    _log(f"{name}: over")


def _train(
    job: protocol.Job,
    trainer: Trainer,
    say: Callable[[protocol.Message], None],
    stop: Callable[[], bool],
) -> list[Committed]:
    trainer.set_threads(job.threads)
    results = trainer.train(
        [_configs(stack) for stack in job.stacks],
        device=job.device,
        checkpoint=Path(job.checkpoint) if job.checkpoint else None,
        checkpoint_seconds=job.checkpoint_seconds,
        keep_parameters=job.parameters,
        compile=job.compile,
        report=lambda progress: say(_step(progress)),
        stop=stop,
    )
    return [_keep(stack, found) for stack, found in zip(job.stacks, results, strict=True)]


def _keep(job: protocol.StackJob, result: Any) -> Committed:
    path = Path(job.pack)
    metadata = {**result.metadata, "stack": job.stack, "attempt": job.attempt}
    info = write_pack(path, result.tensors, metadata)
    members = result.metadata["members"]
    return Committed(
        stack=job.stack,
        attempt=job.attempt,
        pack=path.name,
        size=info.size,
        digest=info.digest,
        sha256=info.sha256,
        members=tuple(Outcome(**{key: m[key] for key in Outcome.model_fields}) for m in members),
        wall_seconds=result.metadata["wall_seconds"],
        member_steps=result.metadata["member_steps"],
    )


def _configs(job: protocol.StackJob) -> "Sequence[RunConfig]":
    from geomem.train.config import read_config, run_id

    runs = [read_config(config) for config in job.configs]
    if [run_id(run) for run in runs] != job.runs:
        raise ValueError("the configurations in plan.jsonl are not those of its run ids")
    return runs


def _step(progress: Any) -> protocol.Step:
    loss = float(progress.loss)
    return protocol.Step(int(progress.member_steps), loss if math.isfinite(loss) else None)


def _failure(job: protocol.Job, error: BaseException) -> protocol.Failure:
    """What to tell the driver; an allocator's own words, which the log has, name no remedy."""
    kind, cause = classify(error), one_line(error)
    if kind == "memory":
        from geomem.train.config import read_config
        from geomem.train.sweep.shortage import explain_shortage

        cause = explain_shortage(read_config(job.stacks[0].configs[0]), job.device)
    return protocol.Failure(kind, cause)


def classify(error: BaseException) -> Literal["error", "memory", "disk"]:
    """Whether memory or the disk ran out, or something else went wrong."""
    if isinstance(error, DiskError):
        return "disk"
    if isinstance(error, OSError) and error.errno in _DISK:
        return "disk"
    return "memory" if _out_of_memory(error) else "error"


def _out_of_memory(error: BaseException) -> bool:
    """Also if another error followed it: ending a CUDA graph that lacked memory raises its own."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"MemoryError", "OutOfMemoryError"} or getattr(error, "errno", 0) == errno.ENOMEM:
        return True
    if isinstance(error, OSError | RuntimeError) and any(t in str(error) for t in _NO_MEMORY):
        return True
    before = error.__cause__ or error.__context__
    return before is not None and _out_of_memory(before)


def one_line(error: BaseException) -> str:
    """The error as one line of at most 300 characters."""
    text = " ".join(str(error).split())
    name = "" if isinstance(error, DiskError) else f"{type(error).__name__}: "
    return (name + text)[:300] if text else type(error).__name__


def _log(text: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
