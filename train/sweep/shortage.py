"""What to say of a run for which memory did not suffice. No tensors."""

from geomem.train.config.run import RunConfig
from geomem.train.errors import GeomemError
from geomem.train.sweep.size import CHUNK_BYTES, member_bytes
from geomem.train.sweep.slots import cpu_memory
from geomem.train.sweep.words import size

NEVER_FITS = ", and the machine has only "
"""In the cause of a failure that comes back on the same machine."""
_SMALLER = "give it a smaller graph, model or batch"


def run_bytes(run: RunConfig) -> int:
    """Estimated memory of a stack of this run alone; ConfigError for a graph's files."""
    return CHUNK_BYTES + member_bytes(run)


def explain_shortage(run: RunConfig, device: str) -> str:
    """How much the run takes, beside what there is, and what can be done about it."""
    try:
        needed = run_bytes(run)
    except (GeomemError, MemoryError):  # a graph that is gone, or that does not fit again
        return f"{_SMALLER}, or a machine with more memory"
    estimate = f"an estimate says {size(needed)} for this run"
    there = cpu_memory() if device == "cpu" else 0
    if there and needed > there:
        return f"{estimate}{NEVER_FITS}{size(there)}: {_SMALLER}, or a machine with more memory"
    return f"{estimate}: {_SMALLER}, or fewer workers (execution.workers)"
