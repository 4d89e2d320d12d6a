"""A sweep that is really trained, for tests of what reads it."""

from geomem.train.config import load_grid
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.opening import Request
from geomem.train.sweep.run import run_sweep


def train_sweep(folder, text):
    """Train the grid of a YAML text; return the sweep's directory."""
    file = folder / "grid.yaml"
    file.write_text(text)
    loaded = load_grid(file)
    request = Request(loaded, str(file), (), None, ())
    assert run_sweep(Folder(folder / "sweep"), request, loaded.execution, "", True) == 0
    return folder / "sweep"
