"""Lines of the text files that graphs come from."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from geomem.train.config.errors import ConfigError, Mark
from geomem.train.config.words import show_path

_NO_TEXT = re.compile("[\udc80-\udcff]")  # what surrogateescape makes of a byte that is not UTF-8


class Line(NamedTuple):
    """A line of a file that is not empty; columns count from 1."""

    path: Path
    number: int
    text: str

    def problem(self, column: int, text: str) -> ConfigError:
        """An error that names the file, this line and a column of it."""
        return ConfigError([(Mark(show_path(self.path), self.number, column), text)])


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines that are not empty, without the byte order mark that a file may begin with.

    Raises ConfigError for a file that cannot be read, and with the line for one that is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, text in enumerate(file, 1):
                line = Line(path, number, text.rstrip())
                _check_text(line)
                if line.text:
                    yield line
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError([(None, f"{show_path(path)}: cannot be read: {reason}")]) from error


def _check_text(line: Line) -> None:
    if not line.text.isascii() and (found := _NO_TEXT.search(line.text)):
        byte = ord(found[0]) - 0xDC00
        text = f"the byte 0x{byte:02x} is not UTF-8 text; save the file as UTF-8"
        raise line.problem(found.start() + 1, text)
