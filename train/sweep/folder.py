"""The places inside a sweep directory, and whether it is safe to write to them."""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from geomem.train.config.graph_file import KEPT
from geomem.train.packs.atomic import TEMPORARY, probe_folder, sync_folder
from geomem.train.packs.errors import DiskError
from geomem.train.sweep.errors import FolderError, UsageError
from geomem.train.sweep.words import listing

_RESERVED = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]")
_STACK_DIGITS = 16
_NAMED = 8  # sweeps inside, in a message


class Folder:
    """A sweep directory: sweep.json grid.yaml plan.jsonl packs/ journal/ logs/ checkpoints/.

    And graphs/, where a grid names files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.about = root / "sweep.json"
        self.grid = root / "grid.yaml"
        self.plan = root / "plan.jsonl"
        self.packs = root / "packs"
        self.journal = root / "journal"
        self.logs = root / "logs"
        self.checkpoints = root / "checkpoints"
        self.graphs = root / KEPT

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders inside."""
        return (self.packs, self.journal, self.logs, self.checkpoints)

    @property
    def _files(self) -> tuple[Path, ...]:
        return (self.about, self.grid, self.plan)

    def require(self) -> None:
        """Raise UsageError unless this is a sweep directory, FolderError if a part is a link."""
        self._refuse_links()
        if not self.plan.exists() and not self.about.exists():
            raise UsageError(
                f"{self.root} is not a sweep directory: it has no sweep.json. {self._remedy()}"
            )

    def _remedy(self) -> str:
        inside = sorted(path.parent.name for path in self.root.glob("*/sweep.json"))
        if not inside:
            return "Give the directory that 'geomem-train sweep' was told with --out"
        named = [*inside[:_NAMED], *["others"] * (len(inside) > _NAMED)]
        return f"Give a sweep that it holds: {listing(named)}"

    def prepare(self) -> None:
        """Create what is missing, and prove that files can be written everywhere.

        Raises FolderError or UsageError, with the path, if that cannot or should not be done.
        """
        self._refuse_links()
        self._refuse_foreign()
        for folder in (self.root, *self.folders):
            _make(folder)
        for folder in (self.root, *self.folders):
            with _refusals(folder):
                probe_folder(folder)
        sync_folder(self.root)
        with contextlib.suppress(PermissionError):
            sync_folder(self.root.parent)

    def clean(self) -> None:
        """Remove what killed writers left unfinished; for the only driver of the directory."""
        for folder in (self.root, *self.folders, self.graphs):
            for path in folder.glob(TEMPORARY):
                path.unlink(missing_ok=True)

    def checkpoint(self, stack: str) -> Path:
        """Where a stack in flight keeps its state."""
        return self.checkpoints / f"{stack}.safetensors"

    def new_pack(self, stack: str) -> Path:
        """A name never used before: nothing that a dying worker still does can touch a pack."""
        return self.packs / f"{stack[:_STACK_DIGITS]}-{secrets.token_hex(4)}.safetensors"

    def forget(self, stack: str, keep: str | None = None) -> None:
        """Remove a stack's checkpoint and its packs apart from `keep`, the committed one."""
        self.checkpoint(stack).unlink(missing_ok=True)
        short = stack[:_STACK_DIGITS]
        for pattern in (f"{short}-*.safetensors", f".{short}-*.tmp"):
            for path in self.packs.glob(pattern):
                if path.name != keep:
                    path.unlink(missing_ok=True)

    def _refuse_links(self) -> None:
        for path in (self.root, *self._files, *self.folders, self.graphs):
            with _refusals(path):
                target = os.readlink(path) if path.is_symlink() else None
            if target is not None:
                raise FolderError(
                    f"{path} is a symbolic link to {target}; "
                    "geomem writes to no links, give the real directory"
                )

    def _refuse_foreign(self) -> None:
        if not self.root.is_dir() or self.about.exists() or self.plan.exists():
            return
        own = {path.name for path in (*self._files, *self.folders, self.graphs)}
        with _refusals(self.root), os.scandir(self.root) as entries:
            foreign = [e.name for e in entries if e.name not in own and not e.name.endswith(".tmp")]
        if foreign:
            raise UsageError(
                f"{self.root} is no sweep directory and not empty (it has {foreign[0]!r}); "
                "give --out a new directory"
            )


def _make(folder: Path) -> None:
    with _refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Say what the file system has against a place."""
    try:
        yield
    except FileExistsError as error:
        raise FolderError(f"{path} is a file, a directory is needed there") from error
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            raise FolderError(f"cannot write to {path}: {error.strerror}") from error
        raise DiskError(path, error) from error


def slug(name: str) -> str:
    """A file name for any name: the name itself if it is harmless, else its letters and a hash."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:48].rstrip("-_")
    if plain and plain == name and not _RESERVED.fullmatch(plain):
        return plain
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{mark}" if plain else f"sweep-{mark}"
