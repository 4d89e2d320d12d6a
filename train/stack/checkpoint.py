"""Checkpoints of a stack in flight: safetensors, written atomically, never pickled."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open

from geomem.train.config.run import RunConfig, run_id
from geomem.train.packs import atomic_write
from geomem.train.stack.state import State

LAYOUT = "2"  # of State.tensors(); a checkpoint of another one is none of ours


def stack_digest(runs: Sequence[RunConfig]) -> str:
    """Return what tells a stack's checkpoint from another's."""
    return hashlib.sha256("".join([LAYOUT, *map(run_id, runs)]).encode()).hexdigest()


def save(path: Path, runs: Sequence[RunConfig], state: State) -> None:
    """Write the state; raises OSError if the disk refuses."""
    data = safetensors.torch.save(state.tensors(), {"stack": stack_digest(runs)})
    atomic_write(path, data)


def load(path: Path, runs: Sequence[RunConfig], state: State) -> bool:
    """Restore the state if the file is a checkpoint of this very stack; tell whether it was."""
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("stack") != stack_digest(runs):
                return False
            state.restore({name: file.get_tensor(name) for name in file.offset_keys()})
    except (OSError, SafetensorError):
        return False
    return True
