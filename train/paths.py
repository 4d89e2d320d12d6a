"""Types of the paths that commands take."""

import os
from pathlib import Path
from typing import Any

import click


class _Named(click.Path):
    """A path with a name: an empty one, such as of an unset variable, is not the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not os.fspath(value):
            self.fail("the path is empty; the current folder is '.'", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Named(path_type=Path)
FILE = _Named(path_type=Path, dir_okay=False)
FOLDER = _Named(path_type=Path, file_okay=False)
