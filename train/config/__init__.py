"""Fields, grid files and the identity of runs. Knows nothing of tensors."""

from geomem.train.config.errors import ConfigError, Mark
from geomem.train.config.run import RunConfig, canonical_json, held_out_count, run_id

__all__ = ["ConfigError", "Mark", "RunConfig", "canonical_json", "held_out_count", "run_id"]
