"""Where workers run: the device, how many at once, and with how many threads."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geomem.train.config.execution import Execution
from geomem.train.sweep.errors import UsageError

_GPU_FILES = ("/dev/nvidiactl", "/dev/dxg")
_COUNT_GPUS = "import torch; print(torch.cuda.device_count())"


@dataclass(frozen=True)
class Slots:
    """`count` workers on a device with `threads` CPU threads each; GPUs are shared in turn."""

    device: Literal["cpu", "cuda"]
    count: int
    threads: int
    gpus: tuple[str, ...] = ()

    def environment(self, slot: int) -> dict[str, str]:
        """What the worker of a slot finds in its environment."""
        found = {"OMP_NUM_THREADS": str(self.threads), "PYTHONUNBUFFERED": "1"}
        if self.gpus:
            found["CUDA_VISIBLE_DEVICES"] = self.gpus[slot % len(self.gpus)]
        return found


def cores() -> int:
    """CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def resolve_slots(execution: Execution) -> Slots:
    """Turn `auto` into numbers for this machine, without importing torch here.

    Raises UsageError if CUDA is asked for and there is none.
    """
    gpus = () if execution.device == "cpu" else _gpus()
    if execution.device == "cuda" and not gpus:
        raise UsageError(
            "execution.device is cuda, but torch finds no GPU here; "
            "'geomem-train doctor' tells more, --set execution.device=cpu trains without one"
        )
    device: Literal["cpu", "cuda"] = "cuda" if gpus else "cpu"
    threads = 1 if execution.threads == "auto" else execution.threads
    room = len(gpus) if gpus else max(1, cores() // threads)
    count = room if execution.workers == "auto" else execution.workers
    return Slots(device, count, threads, gpus)


def _gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES names each GPU; asks torch in another process, if worthwhile."""
    if not any(Path(file).exists() for file in _GPU_FILES):
        return ()
    answer = subprocess.run(
        [sys.executable, "-P", "-c", _COUNT_GPUS], capture_output=True, text=True, check=False
    )
    count = int(answer.stdout) if answer.returncode == 0 else 0
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return tuple(visible[:count] if visible else map(str, range(count)))
