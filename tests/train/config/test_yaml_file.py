"""Strict YAML: what is refused, where, and how soon."""

import os

import pytest

from geomem.train.config import ConfigError, Mark
from geomem.train.config.yaml_file import MAX_BYTES, MAX_DEPTH, load_yaml, parse_yaml, plain


def test_every_key_and_value_has_its_place():
    root = parse_yaml("a: 1\nb:\n  - {c: x}\n  -  2\n", "f.yaml")
    b = root.value["b"]
    assert plain(root) == {"a": 1, "b": [{"c": "x"}, 2]}
    assert (root.value["a"].key, root.value["a"].mark) == (
        Mark("f.yaml", 1, 1),
        Mark("f.yaml", 1, 4),
    )
    assert (b.key, b.mark) == (Mark("f.yaml", 2, 1), Mark("f.yaml", 3, 3))
    assert b.value[0].value["c"].key == Mark("f.yaml", 3, 6)
    assert b.value[1].mark == Mark("f.yaml", 4, 6)
    assert b.value[1].place == b.value[1].mark


def test_columns_count_characters():
    assert parse_yaml("é: ü", "f").value["é"].mark == Mark("f", 1, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f:3:1: a: given twice, first at f:1:1; keep one of them"),
        ("{a: {b: 1, b: 2}}", "f:1:12: b: given twice, first at f:1:6; keep one of them"),
        ("a: &x 1", "f:1:4: &x: anchors and aliases are refused; "
                    "write the value out, or share it through defaults"),
        ("a: *x", "f:1:4: *x: anchors and aliases are refused; "
                  "write the value out, or share it through defaults"),
        ("a: !!int 1", "f:1:4: the tag tag:yaml.org,2002:int is refused; "
                       "write the value without it"),
        ("a: !x {}", "f:1:4: the tag !x is refused; write the value without it"),
        ("a: 1\n---\nb: 2", "f:2:1: a second document; keep one per file"),
        ("a: .inf", "f:1:4: a: .inf is not a number that can be used; only finite ones are"),
        ("a: [1, 010]", "f:1:8: a: a number with leading zeros is ambiguous; write 10 or '010'"),
        ("010: 1", "f:1:1: a number with leading zeros is ambiguous; write 10 or '010'"),
        ("1: x", "f:1:1: a key has to be text, got 1"),
        ("true: x", "f:1:1: a key has to be text, got true"),
        ("? \n: x", "f:1:2: a key has to be text, got nothing"),
        ("? [a]\n: x", "f:1:3: a key has to be text, got a list"),
        ("", "f:1:1: the file is empty; a grid file starts with `version: 1`"),
        ("# nothing\n", "f:1:1: the file is empty; a grid file starts with `version: 1`"),
        ("---\n...\n", "f:1:1: the file is empty; a grid file starts with `version: 1`"),
        ("- a", "f:1:1: expected `key: value` lines, got a list"),
        ("a", "f:1:1: expected `key: value` lines, got the text 'a'"),
        ("a: x\n\tb: y", "f:2:1: a tab cannot indent YAML; use blanks"),
        ("a:\n\t- y", "f:2:1: a tab cannot indent YAML; use blanks"),
        ("a: @x", "f:1:4: a value cannot start with '@'; put it in quotes"),
        ("a: {b: 1", "f:2:1: did not find expected ',' or '}' "
                     "while parsing a flow mapping (from 1:4)"),
        ("a: b: c", "f:1:5: mapping values are not allowed in this context"),
        ("a: '\x07'", "f:1:5: the character U+0007 is not allowed; remove it"),
        ("a: 1\nb: \ud800", "f:2:4: the character U+D800 is not allowed; remove it"),
    ],
)  # fmt: skip
def test_refuses_with_place_and_remedy(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f")
    assert str(caught.value) == message


def test_quotes_keep_numbers_and_words_as_text():
    text = "a: '010'\nb: \"1\"\nc: 'null'\nd: |\n  yes\n"
    assert plain(parse_yaml(text, "f")) == {"a": "010", "b": "1", "c": "null", "d": "yes\n"}


def test_nesting_up_to_the_limit():
    deep = "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    parse_yaml(deep, "f")
    with pytest.raises(ConfigError, match="f:1:23: nested deeper than the limit of 20 levels"):
        parse_yaml("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH, "f")


BOMB = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(30))
HOSTILE = {
    "9 MB": ("a: b\n" * 1_800_000, "9000000 bytes are more than the limit of 8388608"),
    "brackets": ("[" * 100_000, "nested deeper than the limit of 20 levels"),
    "8 MB of brackets": ("a: " + "[" * 8_000_000, "nested deeper than the limit of 20 levels"),
    "braces": ("{a: " * 100_000, "nested deeper than the limit of 20 levels"),
    "dashes": ("- " * 100_000, "nested deeper than the limit of 20 levels"),
    "questions": ("? " * 100_000, "nested deeper than the limit of 20 levels"),
    "indentation": ("".join(" " * i + "a:\n" for i in range(3_000)), "nested deeper than"),
    "bomb": (BOMB, "&a: anchors and aliases are refused"),
    "digits": ("a: " + "9" * 8_000_000, "a number of 8000000 characters; the limit is 100"),
    "long key": ("k" * 8_000_000 + ": 1", "mapping values are not allowed"),
    "anchor": ("&" + "a" * 8_000_000 + " x", "anchors and aliases are refused"),
    "bytes": ("\0" * 1_000_000, "the character U\\+0000 is not allowed"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name, tmp_path):
    text, message = HOSTILE[name]
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_yaml(path)
    assert len(str(caught.value)) < 500


def test_many_values_are_refused(monkeypatch):
    monkeypatch.setattr("geomem.train.config.yaml_file.MAX_VALUES", 4)
    parse_yaml("a: [1]", "f")
    with pytest.raises(ConfigError, match="f:1:8: more than the limit of 4 keys and values"):
        parse_yaml("a: [1, 2]", "f")


def test_the_size_is_checked_before_reading(tmp_path):
    path = tmp_path / "f.yaml"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES * 1000)
    with pytest.raises(ConfigError, match="8388608000 bytes are more than the limit of 8388608"):
        load_yaml(path)


def test_other_encodings(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert plain(load_yaml(path)[1]) == {"a": 1}
    path.write_bytes("a: 1\nb: é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"f.yaml:2:4: byte 0xe9 is not UTF-8; save the file as"):
        load_yaml(path)
    path.write_bytes("a: 1".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"f.yaml:1:1: byte 0xff is not UTF-8"):
        load_yaml(path)


def test_files_that_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    for name, message in {
        "missing.yaml": "missing.yaml: cannot be read: no such file or directory",
        ".": ".: is a directory; name a YAML file",
        "fifo": "fifo: is not a regular file; save the grid to a file first",
        "a\0b": "a\\x00b: cannot be read: embedded null byte",
        "x\n.yaml": "x\\n.yaml: cannot be read: no such file or directory",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load_yaml(name)
        assert str(caught.value) == message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "f.yaml"
    path.touch(mode=0)
    with pytest.raises(ConfigError, match="cannot be read: permission denied"):
        load_yaml(path)
