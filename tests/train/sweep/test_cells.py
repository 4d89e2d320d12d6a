"""Tables keep every word whole, whatever the terminal's width."""

import re

import pytest

from geomem.train.sweep.cells import print_cells

HEAD = ["graph.arms", "freeze_embeddings", "kind", "exact_match", "loss"]
LINES = [
    ["64", "false", "transformer", "0.312 [0.188–0.438]", "0.715"],
    ["256", "true", "[red]:smile:", "0.992 [0.984–1]", "1.16 [1.15–1.16]"],
]
WHOLE, FOLDED = 10 + 17 + 12 + 19 + 16 + 4 * 3, 6 + 10 + 12 + 13 + 11 + 4 * 3


@pytest.fixture
def printed(monkeypatch, capsys):
    def at(width):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
        print_cells(HEAD, LINES, 3, ["kind"])
        return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)

    return at


def test_a_table_that_fits_has_one_line_for_each(printed):
    lines = printed(WHOLE).splitlines()
    assert len(lines) == 2 + len(LINES)
    assert lines[0].split() == HEAD
    assert lines[3].split() == " ".join(LINES[1]).split()


def test_a_wider_one_is_folded_between_words(printed):
    text = printed(FOLDED)
    assert len(text.splitlines()) > 2 + len(LINES)
    assert max(map(len, text.splitlines())) <= FOLDED
    words = set(text.split())
    assert words >= set(" ".join(cell for line in LINES for cell in line).split())
    assert words >= {"graph.", "arms", "freeze_", "embeddings", "exact_", "match"}


def test_no_more_is_folded_than_is_needed(printed):
    text = printed(WHOLE - 1)  # the widest names give way, and that is enough
    assert "embeddings" in text
    assert "freeze_embeddings" not in text
    assert [line.split() for line in text.splitlines()[-2:]] == [" ".join(x).split() for x in LINES]


def test_prose_wider_than_the_terminal_is_folded_between_words(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "24")
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = "seventeen words or so of some length, told without haste"
    print_cells(["finding", "told", "empty"], [["1a", text, ""], ["", "in short", "no"]], 1)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 24
    assert " ".join(printed.split()) == f"finding=1a told={text} told=in short empty=no"


def test_one_that_does_not_fit_folded_becomes_paragraphs(printed):
    text = printed(FOLDED - 1)
    assert max(map(len, text.splitlines())) < FOLDED
    assert text.startswith("graph.arms=64  freeze_embeddings=false  kind=transformer\n  exact")
    assert "\n  exact_match=0.312 [0.188–0.438]  loss=0.715\n" in text
    assert "kind=[red]:smile:" in text


def test_a_name_longer_than_the_terminal_is_still_whole(printed):
    assert "freeze_embeddings=false" in printed(12).replace("\n", "").replace(" ", "")


def test_a_file_has_the_whole_table(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    print_cells(HEAD, LINES, 3)
    assert capsys.readouterr().out.splitlines()[0].split() == HEAD
