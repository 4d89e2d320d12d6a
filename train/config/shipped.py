"""The grid files that come with geomem, to be called by their names."""

from pathlib import Path

from geomem.train.config.errors import ConfigError, Mark
from geomem.train.config.words import close_to, did_you_mean, show_path

GRIDS = Path(__file__).parent.parent / "grids"


def find_grid(path: Path) -> Path:
    """The file itself, or the shipped one if there is no file but a grid of that name.

    ConfigError for what looks like a name and is none.
    """
    if path.exists() or path.name != str(path) or path.suffix:
        return path
    names = sorted(file.stem for file in GRIDS.glob("*.yaml"))
    if path.name in names:
        return GRIDS / f"{path.name}.yaml"
    guess = did_you_mean(close_to(path.name, names))
    text = f"no such file, and the grids that come with geomem are {', '.join(names)}{guess}"
    raise ConfigError([(Mark(show_path(path)), text)])
