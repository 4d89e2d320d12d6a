"""What this machine has, as far as a sweep is concerned."""

import fcntl
import importlib
import importlib.util
import os
import platform
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from geomem.train.sweep.slots import cores
from geomem.train.sweep.words import size


def describe_machine() -> dict[str, str]:
    """Name -> what there is; imports torch."""
    here = Path.cwd()
    return {
        "geomem": installed("geomem"),
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "numpy": installed("numpy"),
        "torch": installed("torch"),
        "triton": installed("triton"),
        "flash-attn": installed("flash_attn"),
        "devices": _devices(),
        "cores": f"{cores()} usable of {os.cpu_count()}",
        "locks": _locks(here),
        "disk": f"{size(shutil.disk_usage(here).free)} free in {here}",
    }


def installed(name: str) -> str:
    """The version of a distribution, or what else there is to say of it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "present" if importlib.util.find_spec(name) else "not installed"


def _devices() -> str:
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        return f"none: torch cannot be imported ({error})"
    count = torch.cuda.device_count()
    if not count:
        built = "" if torch.version.cuda else " (this torch is built without CUDA)"
        return f"cpu; no GPU found{built}"
    found = [torch.cuda.get_device_properties(i) for i in range(count)]
    return ", ".join(f"cuda:{i} {p.name} {size(p.total_memory)}" for i, p in enumerate(found))


def _locks(folder: Path) -> str:
    """Whether flock keeps a second driver out of this folder's file system."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as first, open(first.name) as second:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return f"work in {folder}"
            return f"DO NOT WORK in {folder}: two sweeps could damage one directory there"
    except OSError as error:
        return f"unknown: {error.strerror} in {folder}"
