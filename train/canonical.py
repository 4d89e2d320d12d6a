"""JSON that is hashed and compared: the identity of runs, plans, journals and packs rest on it."""

import json
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: one text for one value. ValueError for NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
