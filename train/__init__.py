"""Train compact sequence models on graphs: by grid files and commands, or from Python.

>>> from geomem.train import fit
>>> result = fit(
...     {
...         "graph": {"kind": "path_star", "arms": 4, "length": 5},
...         "model": {"kind": "transformer", "layers": 1, "width": 32},
...         "optim.lr": 1e-2,
...         "train.steps": 200,
...     }
... )
>>> result.embedding.shape
(17, 32)
>>> float(result.metrics["edge_recovery"][-1])
1.0
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geomem.train.notebook import Fitted, fit

__all__ = ["Fitted", "fit"]


def __getattr__(name: str) -> Any:
    """What needs torch is imported when it is asked for: `--help` does without."""
    if name in __all__:
        return getattr(importlib.import_module("geomem.train.notebook"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
