"""Fields, grid files and the identity of runs. Knows nothing of tensors."""

from geomem.train.config.errors import ConfigError, Mark
from geomem.train.config.execution import Execution
from geomem.train.config.grid_file import GridFile, load_grid
from geomem.train.config.run import RunConfig, read_config, run_id

__all__ = [
    "ConfigError",
    "Execution",
    "GridFile",
    "Mark",
    "RunConfig",
    "load_grid",
    "read_config",
    "run_id",
]
