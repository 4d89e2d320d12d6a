"""What is really trained for tests: the tiny graphs of arXiv 2510.26745, and sweeps."""

from geomem.train.config import load_grid
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.opening import Request
from geomem.train.sweep.run import run_sweep

TINY = {
    "path_star": {"kind": "path_star", "arms": 4, "length": 5},
    "grid": {"kind": "grid", "rows": 4, "columns": 4},
    "cycle": {"kind": "cycle", "nodes": 15},
    "irregular": {"kind": "irregular"},
}


def train_sweep(folder, text):
    """Train the grid of a YAML text; return the sweep's directory."""
    file = folder / "grid.yaml"
    file.write_text(text)
    loaded = load_grid(file)
    request = Request(loaded, str(file), (), None, ())
    assert run_sweep(Folder(folder / "sweep"), request, loaded.execution, "", True) == 0
    return folder / "sweep"
