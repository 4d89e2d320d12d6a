"""Packs: the immutable files that hold what a stack of runs learned. Needs numpy alone."""

from geomem.train.packs.atomic import atomic_write, make_folder, probe_folder
from geomem.train.packs.errors import DiskError, PackError
from geomem.train.packs.reader import Pack, open_pack
from geomem.train.packs.writer import PackInfo, geomem_version, write_pack

__all__ = [
    "DiskError",
    "Pack",
    "PackError",
    "PackInfo",
    "atomic_write",
    "geomem_version",
    "make_folder",
    "open_pack",
    "probe_folder",
    "write_pack",
]
