"""How a command line ends: with which code, and what it says."""

import subprocess
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


_SPEAKS = """
import os, sys, click
from geomem.train.lazy_cli import run

@click.command()
@click.argument("kept")
def speaks(kept):
    file = os.open(kept, os.O_WRONLY | os.O_CREAT)
    for number in (1, 2):
        os.write(number, b"a library's noise")
    click.echo("result")
    click.echo("note", err=True)
    print("remark", file=sys.stderr, flush=True)
    os.write(file, b"kept")

run(speaks)
"""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_swallow_what_goes_to_them(tmp_path, closed):
    kept = tmp_path / "kept"
    command = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-c", _SPEAKS, str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert kept.read_bytes() == b"kept"
