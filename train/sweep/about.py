"""sweep.json: the name of a sweep, and the command that it was last given."""

import json
import time
from collections.abc import Sequence

from geomem.train.canonical import canonical_json
from geomem.train.packs import atomic_write, geomem_version
from geomem.train.sweep.errors import StoreError
from geomem.train.sweep.folder import Folder

FORMAT = 1


def new_about(folder: Folder, name: str, source: str, sets: Sequence[str]) -> dict[str, object]:
    """What is to stand in sweep.json. Raises StoreError where what stands there is unusable."""
    old = read_about(folder) if folder.about.exists() else {}
    return {
        "format": FORMAT,
        "geomem": geomem_version(),
        "name": name,
        "grid": source,
        "set": list(sets),
        "created": old.get("created", time.strftime("%Y-%m-%dT%H:%M:%S%z")),
    }


def write_about(folder: Folder, about: dict[str, object]) -> None:
    """Write sweep.json if that changes it. Raises DiskError, StoreError."""
    if not folder.about.exists() or read_about(folder) != about:
        atomic_write(folder.about, (canonical_json(about) + "\n").encode())


def read_about(folder: Folder) -> dict[str, object]:
    """The contents of sweep.json. Raises StoreError, also for a newer format."""
    try:
        about = json.loads(folder.about.read_bytes())
        newer = about["format"] > FORMAT
        if not newer and not isinstance(about["name"], str):
            raise TypeError("name")
    except FileNotFoundError as error:
        problem = "missing; 'sweep' with the grid and the options as before writes it again"
        raise StoreError(folder.about, problem) from error
    except OSError as error:
        raise StoreError(folder.about, error.strerror or str(error)) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(
            folder.about, "damaged; delete it, and the next 'sweep' writes it again"
        ) from error
    if newer:
        raise StoreError(
            folder.about,
            f"format {about['format']} of geomem {about.get('geomem')}, this one knows {FORMAT}",
        )
    found: dict[str, object] = about
    return found
