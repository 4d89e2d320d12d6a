"""Folders that results are written to."""

from pathlib import Path

from geomem.train.packs import DiskError


def make_folder(folder: Path) -> None:
    """Make the folder and those above it, where they are not there yet. Raises DiskError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(folder, error) from error
