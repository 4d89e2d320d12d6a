"""Where workers run: the device, how many at once, and with how many threads."""

import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from geomem.train.config.execution import Execution
from geomem.train.sweep.errors import UsageError

_GPU_FILES = ("/dev/nvidiactl", "/dev/dxg")
_CONTAINER_LIMITS = (  # of version 2 and version 1 of control groups
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_CPU_NAME = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
_ASK_TORCH = """
import json, torch
found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
print(json.dumps([(gpu.name, gpu.total_memory) for gpu in found]))
"""


@dataclass(frozen=True)
class Slots:
    """`count` workers on a device with `threads` CPU threads each; GPUs are shared in turn.

    name: of the device, as people know it; memory: bytes of the smallest GPU, on a CPU of the
    machine; 0 if not known.
    """

    device: Literal["cpu", "cuda"]
    count: int
    threads: int
    gpus: tuple[str, ...] = ()
    name: str = ""
    memory: int = 0

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
    found = {} if execution.device == "cpu" else _gpus()
    if execution.device == "cuda" and not found:
        raise UsageError(
            "execution.device is cuda, but torch finds no GPU here; "
            "'geomem-train doctor' tells more, --set execution.device=cpu trains without one"
        )
    threads = 1 if execution.threads == "auto" else execution.threads
    room = len(found) if found else max(1, cores() // threads)
    count = room if execution.workers == "auto" else execution.workers
    if not found:
        return Slots("cpu", count, threads, name=_cpu_name(), memory=cpu_memory())
    names = dict.fromkeys(gpu.name for gpu in found.values())
    memory = min(gpu.memory for gpu in found.values())
    return Slots("cuda", count, threads, tuple(found), " and ".join(names), memory)


class _Gpu(NamedTuple):
    name: str
    memory: int


def _gpus() -> dict[str, _Gpu]:
    """What CUDA_VISIBLE_DEVICES names each GPU; asks torch in another process, if worthwhile."""
    if not any(Path(file).exists() for file in _GPU_FILES):
        return {}
    answer = subprocess.run(
        [sys.executable, "-P", "-c", _ASK_TORCH], capture_output=True, text=True, check=False
    )
    gpus = [_Gpu(*gpu) for gpu in json.loads(answer.stdout)] if answer.returncode == 0 else []
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return dict(zip(visible or map(str, range(len(gpus))), gpus, strict=False))


def cpu_memory() -> int:
    """Bytes of the machine, or what a container may have of them; 0 if not known."""
    try:
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0
    for limit in _CONTAINER_LIMITS:
        try:
            found = min(found, int(limit.read_text()))
        except (OSError, ValueError):  # no container, or "max"
            continue
    return found


def _cpu_name() -> str:
    try:
        found = _CPU_NAME.search(Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return f"{name}, {cores()} core{'s' * (cores() > 1)}"
