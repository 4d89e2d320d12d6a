"""Strict YAML: plain values, each with its place, and nothing that can surprise or explode.

Works on the events of the C parser, so that a hostile file is refused where it turns bad, before
anything is built. Refused: duplicate keys, anchors, aliases, tags, several documents, NaN and
infinity, keys that are not text, and whatever exceeds a limit below.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from geomem.train.config.errors import ConfigError, Mark
from geomem.train.config.scalars import Scalar, resolve
from geomem.train.config.words import describe, shorten, show_path

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 20
MAX_VALUES = 2_000_000
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class Node:
    """A value with the place where it starts and that of its key (None in a list)."""

    value: "Scalar | list[Node] | dict[str, Node]"
    mark: Mark
    key: Mark | None = None

    @property
    def place(self) -> Mark:
        """Where an editor should jump to: the key, or the value where there is no key."""
        return self.key or self.mark


def plain(node: Node) -> Any:
    """The value alone: dicts, lists and scalars."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return value


def load_yaml(path: str | os.PathLike[str]) -> tuple[str, Node]:
    """Text and top-level mapping of a file; ConfigError with file:line:column and remedy."""
    source = show_path(path)
    text = _decode(_read(Path(path), source), source)
    return text, parse_yaml(text, source)


def parse_yaml(text: str, source: str) -> Node:
    """The mapping at the top level of a YAML text; `source` names it in errors."""
    node = _Composer(text, source, None).document()
    if node is None or node.value is None:
        _fail(Mark(source, 1, 1), "the file is empty; a grid file starts with `version: 1`")
    if not isinstance(node.value, dict):
        _fail(node.mark, f"expected `key: value` lines, got {describe(node.value)}")
    return node


def parse_value(text: str, mark: Mark) -> Node:
    """One scalar or flow collection (`[1, 2]`, `{kind: cycle}`); every place in it is `mark`."""
    return _Composer(text, mark.file, mark).document() or Node(None, mark, mark)


def _fail(mark: Mark, text: str) -> NoReturn:
    raise ConfigError([(mark, text)])


def _read(path: Path, source: str) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            _fail(Mark(source), "is a directory; name a YAML file")
        if not stat.S_ISREG(status.st_mode):
            _fail(Mark(source), "is not a regular file; save the grid to a file first")
        if status.st_size > MAX_BYTES:
            _fail(Mark(source), f"{status.st_size} bytes are more than the limit of {MAX_BYTES}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        _fail(Mark(source), f"cannot be read: {reason.lower()}")


def _decode(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        mark = Mark(source, before.count(b"\n") + 1, column)
        _fail(mark, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8")


class _Composer:
    """Builds nodes from events; `fixed` is the place of everything, for texts without lines."""

    def __init__(self, text: str, source: str, fixed: Mark | None) -> None:
        self.text, self.source, self.fixed = text, source, fixed
        self.count = 0
        self.name = ""  # the key whose value is being read

    def document(self) -> Node | None:
        """The root of the only document, or None if there is no document."""
        self._refuse_unprintable()
        try:
            return self._document(yaml.parse(self.text, Loader=yaml.CSafeLoader))
        except yaml.MarkedYAMLError as error:
            mark, text = self._syntax_error(error)
        _fail(mark, text)

    def _document(self, events: Iterator[Any]) -> Node | None:
        next(events)  # start of the stream
        if isinstance(next(events), yaml.StreamEndEvent):
            return None
        root = self._node(next(events), events, None, 0)
        next(events)  # end of the document
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            _fail(self._mark(after.start_mark), "a second document; keep one per file")
        return root

    def _node(self, event: Any, events: Iterator[Any], key: Mark | None, depth: int) -> Node:
        mark = self._mark(event.start_mark)
        self._refuse_extras(event, mark)
        if type(event) is yaml.ScalarEvent:
            return Node(self._scalar(event, mark), mark, key)
        if depth == MAX_DEPTH:
            _fail(mark, f"nested deeper than the limit of {MAX_DEPTH} levels")
        if self.fixed and not event.flow_style:
            _fail(mark, "write [a, b] or {key: value}, or put the text in quotes")
        if type(event) is yaml.SequenceStartEvent:
            return Node(self._sequence(events, depth + 1), mark, key)
        return Node(self._mapping(events, depth + 1), mark, key)

    def _sequence(self, events: Iterator[Any], depth: int) -> list[Node]:
        items = []
        for event in events:
            if type(event) is yaml.SequenceEndEvent:
                break
            items.append(self._node(event, events, None, depth))
        return items

    def _mapping(self, events: Iterator[Any], depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for event in events:
            if type(event) is yaml.MappingEndEvent:
                break
            self.name = ""
            key = self._node(event, events, None, depth)
            name = key.value
            if not isinstance(name, str):
                _fail(key.mark, f"a key has to be text, got {describe(name)}")
            if name in entries:
                first = entries[name].place
                _fail(key.mark, f"{shorten(name)}: given twice, first at {first}; keep one of them")
            self.name = name
            entries[name] = self._node(next(events), events, key.mark, depth)
        return entries

    def _scalar(self, event: Any, mark: Mark) -> Scalar:
        if event.style:  # quoted or a block of text
            return str(event.value)
        try:
            return resolve(event.value)
        except ValueError as error:
            _fail(mark, f"{shorten(self.name)}: {error}" if self.name else str(error))

    def _refuse_extras(self, event: Any, mark: Mark) -> None:
        if event.anchor:  # of an alias too
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            _fail(mark, f"{sign}{shorten(event.anchor)}: anchors and aliases are refused; "
                        "write the value out, or share it through defaults")  # fmt: skip
        if event.tag:
            _fail(mark, f"the tag {shorten(event.tag)} is refused; write the value without it")
        self.count += 1
        if self.count > MAX_VALUES:
            _fail(mark, f"more than the limit of {MAX_VALUES} keys and values")

    def _refuse_unprintable(self) -> None:
        found = _UNPRINTABLE.search(self.text)
        if found:
            before = self.text[: found.start()]
            column = len(before) - before.rfind("\n")
            mark = self.fixed or Mark(self.source, before.count("\n") + 1, column)
            _fail(mark, f"the character U+{ord(found[0]):04X} is not allowed; remove it")

    def _mark(self, mark: Any) -> Mark:
        return self.fixed or Mark(self.source, mark.line + 1, mark.column + 1)

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> tuple[Mark, str]:
        at: Any = error.problem_mark or error.context_mark
        character = self.text[at.index : at.index + 1]
        text = error.problem or "not YAML"
        if character == "\t" or "tab character" in text:
            text = "a tab cannot indent YAML; use blanks"
        elif "cannot start any token" in text:
            text = f"a value cannot start with {character!r}; put it in quotes"
        elif error.context:
            start: Any = error.context_mark or at
            since = "" if self.fixed else f" (from {start.line + 1}:{start.column + 1})"
            text = f"{text} {error.context}{since}"
        return self._mark(at), text
