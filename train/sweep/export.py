"""Results as CSV, JSON and Parquet."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from geomem.train.packs import atomic_write, make_folder
from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.results import Value

Records = Sequence[dict[str, Value]]


def write_csv(records: Records, file: TextIO) -> None:
    """A header and one line per record; what is missing is empty."""
    writer = csv.DictWriter(file, list(records[0]) if records else ["run"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)


def write_json(records: Records, file: TextIO) -> None:
    """A list of objects, one line each."""
    lines = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
    file.write(f"[\n{lines}\n]\n")


def write_parquet(records: Records, path: Path) -> None:
    """One column per key. Raises UsageError without pyarrow, DiskError when the disk refuses."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("--parquet needs pyarrow: pip install pyarrow") from error
    names = list(records[0]) if records else ["run"]
    columns = {name: _column([record[name] for record in records]) for name in names}
    make_folder(path.parent)
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer)
    atomic_write(path, buffer.getvalue())


def _column(values: list[Value]) -> list[Value]:
    """Values of one type: numbers as they are, a mixture such as 'all' and 64 as text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [value if value is None else float(value) for value in values]
    if len(kinds) > 1:
        return [value if value is None else str(value) for value in values]
    return values
