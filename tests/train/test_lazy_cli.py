"""How a command line ends: with which code, and what it says."""

import sys

import click
import pytest

from geomem.train.errors import GeomemError
from geomem.train.lazy_cli import run


class _Damaged(GeomemError):
    exit_code = 5


@click.command()
@click.argument("how")
def ends(how):
    if how == "interrupted":
        raise KeyboardInterrupt
    if how == "damaged":
        error = _Damaged("a.json: damaged")
        error.add_note("restore it")
        raise error
    if how == "failed":
        click.get_current_context().exit(3)
    click.echo(how)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["done"], 0, ""),
        (["failed"], 3, ""),
        (["damaged"], 5, "error: a.json: damaged\nrestore it\n"),
        (["interrupted"], 75, "\ninterrupted; the same command starts again\n"),
        ([], 2, "Missing argument 'HOW'"),
        (["done", "--fast"], 2, "No such option"),
    ],
)
def test_how_it_ends(monkeypatch, capsys, words, code, said):
    monkeypatch.setattr(sys, "argv", ["ends", *words])
    with pytest.raises(SystemExit) as ended:
        run(ends)
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert said in err if said else err == ""
    assert out == ("done\n" if words == ["done"] else "")
