"""The grid files that come with geomem, to be called by their names."""

from pathlib import Path

from geomem.train.config.errors import ConfigError, Mark
from geomem.train.config.words import close_to, did_you_mean, show_path

GRIDS = Path(__file__).parent.parent / "grids"


def shipped_grids() -> dict[str, Path]:
    """Every shipped file under its name, that of its folder included: `paper/path_star_small`."""
    files = sorted(GRIDS.rglob("*.yaml"))
    return {file.relative_to(GRIDS).with_suffix("").as_posix(): file for file in files}


def find_grid(path: Path) -> Path:
    """The file itself, or the shipped one if there is no file but a grid of that name.

    ConfigError for what looks like a name and is none.
    """
    grids = shipped_grids()
    folders = {name.partition("/")[0] for name in grids if "/" in name}
    name = path.as_posix()
    if path.exists() or path.suffix or ("/" in name and path.parts[0] not in folders):
        return path
    if name in grids:
        return grids[name]
    guess = did_you_mean(close_to(name, grids))
    text = f"no such file, and the grids that come with geomem are {', '.join(grids)}{guess}"
    raise ConfigError([(Mark(show_path(path)), text)])
