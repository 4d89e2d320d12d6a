"""Look at what the runs of a sweep memorised: pure functions of packs and arrays."""

from geomem.analysis.sweeps import Member, Sweep, open_sweep

__all__ = ["Member", "Sweep", "open_sweep"]
