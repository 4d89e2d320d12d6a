"""What stops a sweep before or during its work."""

from pathlib import Path

from geomem.train.errors import Exit, GeomemError


class UsageError(GeomemError):
    """A request that cannot be met as it was typed."""

    exit_code = Exit.USAGE


class InUseError(GeomemError):
    """Another driver works in the directory."""

    exit_code = Exit.IN_USE


class StoreError(GeomemError):
    """A sweep directory whose own files cannot be trusted. `line` counts from 1, 0 for none."""

    exit_code = Exit.DAMAGED

    def __init__(self, path: Path, problem: str, line: int = 0) -> None:
        self.path, self.line = path, line
        super().__init__(f"{path}:{line}: {problem}" if line else f"{path}: {problem}")


class LostPacksError(GeomemError):
    """Committed packs that are gone or not of their size: their runs are not done after all."""

    exit_code = Exit.DAMAGED


class FolderError(GeomemError):
    """A place that cannot be written to: a link, a file in the way, no permission, no space."""

    exit_code = Exit.DISK


class EngineError(GeomemError):
    """Worker processes that do not start at all."""
