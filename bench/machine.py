"""Where and with what a benchmark ran."""

import os
import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

PACKAGES = (
    *("torch", "triton", "liger-kernel", "cut-cross-entropy"),
    *("mambapy", "transformers", "geomem"),
)


def _said(*command: str, at: Path | None = None) -> str | None:
    """First line that a command prints, or None where it cannot run."""
    try:
        done = subprocess.run(
            command, cwd=at, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def environment(device: str) -> dict[str, object]:
    """Return what a reader needs in order to compare this run with another."""
    here = Path(__file__).resolve().parent
    changed = _said("git", "status", "--porcelain", at=here)
    query = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    driver = _said(*query) if device == "cuda" else None
    return {
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else _processor(),
        "driver": driver.splitlines()[0] if driver else None,
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "commit": _said("git", "rev-parse", "HEAD", at=here),
        "dirty": None if changed is None else bool(changed),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def peak_bytes(device: str) -> int:
    """Bytes that this process held at most on the GPU, recorded graphs included, or on a CPU."""
    if device == "cuda":
        return torch.cuda.max_memory_reserved()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
