"""Figures: which are drawn of what, in each format, and what the command says when it cannot."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.text import Text

from geomem.analysis.cli import cli
from geomem.analysis.commands import figures as command
from geomem.analysis.figures import FIGURES, OF_FACTS, drawn, left_out, save_figures
from geomem.analysis.figures.data import spectrum_of
from geomem.analysis.figures.groups import grouped
from geomem.analysis.figures.heat_maps import path_by_path
from geomem.analysis.figures.names import graph_name, variant
from geomem.analysis.figures.projection import MissingUmap, project
from geomem.analysis.figures.size import accuracy_against_size
from geomem.analysis.figures.tokens import accuracy_per_token
from geomem.analysis.sweeps import Sweep
from geomem.train.sweep.errors import UsageError
from tests.analysis.made import make_members
from tests.calls import call

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
CYCLE = {"kind": "cycle", "nodes": 8}
NO_PATHS = {"recipe": "edges_only"}


@pytest.mark.parametrize("suffix", STARTS)
def test_every_figure_is_written_in_each_format(tmp_path, suffix):
    members = make_members()
    written = save_figures(members, tmp_path / "new" / "folder", suffix)
    assert [path.name for path in written] == [
        f"{name}.{suffix}" for name in FIGURES if name not in OF_FACTS
    ]
    for path in written:
        assert path.read_bytes().startswith(STARTS[suffix])
        assert path.stat().st_size > 4_000


def test_every_figure_is_counted():
    for members in (make_members(), make_members(graph=CYCLE, task=NO_PATHS)):
        counts = []
        list(drawn(members, passed=counts.append))
        assert sum(counts) == len(FIGURES)


def test_runs_that_no_figure_shows_are_counted(tmp_path):
    done, diverged = make_members(), make_members(status="diverged")
    assert left_out(done) == ""
    told = left_out([*done, *diverged])
    assert told == f"{len(diverged)} of {2 * len(done)} runs diverged, and figures do not show them"


def test_a_figure_needs_what_it_shows():
    cycle = make_members(graph=CYCLE, task=NO_PATHS)
    assert {name for name, _ in drawn(cycle)} == {
        *("measures_over_steps", "embeddings", "embeddings_3d", "geometry_over_steps", "spectra"),
        "spectra_over_steps",
    }
    bare = make_members(without=["history/embedding", "metrics/target_accuracy"])
    assert set(FIGURES) - set(OF_FACTS) - {name for name, _ in drawn(bare)} == {
        *("geometry_over_steps", "spectra_over_steps", "accuracy_per_token")
    }
    assert not list(drawn(make_members(status="diverged")))


def test_axes_are_named_and_more_configurations_than_panels_are_said():
    members = [
        member
        for rate in range(1, 20)
        for member in make_members(1, model={"kind": "mamba", "width": 16, "state": rate})
    ]
    for name, figure in drawn(members):
        labels = [ax.get_xlabel() + ax.get_ylabel() for ax in figure.axes]
        named = [figure.get_supxlabel(), figure.get_supylabel(), *labels]
        assert any(named), name
        if name not in ("measures_over_steps", "geometry_over_steps"):
            assert "of 19 configurations" in figure.get_suptitle(), name


@pytest.mark.parametrize("many", [1, 3])
def test_no_text_leaves_its_figure(many):
    long = {"edges": "forward", "target": "hardest_token", "self_edges": True}
    members = [
        member
        for arms in range(4, 4 + many)
        for member in make_members(1, {"kind": "path_star", "arms": arms, "length": 4}, long)
    ]
    for name, figure in drawn(members):
        figure.draw_without_rendering()
        ticks = {
            id(t) for ax in figure.axes for axis in ax._axis_map.values() for t in _ticks(axis)
        }
        for text in figure.findobj(Text):
            if text.get_visible() and text.get_text() and id(text) not in ticks:
                box, room = text.get_window_extent(), figure.bbox.padded(2)
                assert room.containsx(box.x0), (name, text)
                assert room.containsx(box.x1), (name, text)
                assert room.containsy(box.y0), (name, text)
                assert room.containsy(box.y1), (name, text)


def _ticks(axis):
    """Labels of ticks, of which those out of sight are kept but not drawn."""
    return [*axis.get_ticklabels(which="both"), axis.get_offset_text()]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_one_held_out_path_is_not_between_others():
    several, members = make_members(), make_members()
    assert re.search(r"inside \d\.\d+, between \d\.\d+", _first_title(path_by_path(several)))
    members[0].pack.entries["held_out"] = np.zeros((2, 1), int)
    assert re.search(r"inside \d\.\d+$", _first_title(path_by_path(members)))


def _first_title(figure):
    return figure.axes[0].get_title()


@pytest.mark.parametrize("length", [4, 6])
def test_tokens_of_equal_accuracy_are_all_in_sight(length):
    (member,) = make_members(1, {"kind": "path_star", "arms": 6, "length": length})
    member.tensor("metrics/target_accuracy")[:] = 1
    figure = accuracy_per_token([member])
    figure.legends[0].remove()
    figure.set_dpi(150)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    seen = {tuple(colour) for colour in np.asarray(canvas.buffer_rgba()).reshape(-1, 4)}
    lines = figure.axes[0].lines
    assert len(lines) == length
    for line in lines:
        assert tuple(round(255 * part) for part in to_rgba(line.get_color())) in seen, line


def test_configurations_have_names_that_tell_them_apart():
    cycle = make_members(graph=CYCLE, task=NO_PATHS)
    mamba = make_members(model={"kind": "mamba", "width": 16, "state": 4})
    wider = make_members(model={"kind": "mamba", "width": 32, "state": 4})
    found = grouped([*mamba, *wider, *make_members(task=NO_PATHS)])
    labels = ["mamba, width 16", "mamba, width 32", "transformer, no paths"]
    assert [group.label for group in found] == labels
    assert [len(group.members) for group in found] == [2, 2, 2]
    assert {group.graph for group in found} == {"path-star (6, 4)"}
    assert graph_name(cycle[0]) == "cycle 8"
    assert variant(make_members(task={"edges": "forward"})[0]) == "transformer, forward edges only"


def test_the_spectrum_does_not_depend_on_the_basis_of_an_eigenspace():
    rng = np.random.default_rng(0)
    vectors, _ = np.linalg.qr(rng.standard_normal((6, 3)))
    turn, _ = np.linalg.qr(rng.standard_normal((2, 2)))
    turned = vectors.copy()
    turned[:, 1:] = vectors[:, 1:] @ turn
    embedding, spaces = rng.standard_normal((6, 4)), [np.array([0]), np.array([1, 2])]
    found = spectrum_of(embedding, vectors, spaces)
    np.testing.assert_allclose(found, spectrum_of(embedding, turned, spaces))
    assert found.max() == 1
    assert not spectrum_of(np.zeros((6, 4)), vectors, spaces).any()


def test_a_projection_always_has_its_dimensions():
    line = np.arange(5.0)[:, None]
    points = project(line, "pca")
    assert points.shape == (5, 3)
    assert not points[:, 1:].any()


def test_umap_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingUmap, match=r"geomem\[umap\]"):
        project(np.eye(5), "umap")


def test_the_command_names_what_is_missing(monkeypatch, tmp_path):
    sweep = Sweep(tmp_path, make_members(1))
    monkeypatch.setattr("geomem.analysis.sweeps.open_sweep", lambda path: sweep)
    run = CliRunner().invoke
    chosen = run(cli, ["figures", str(tmp_path), "--where", "model.kind=mamba"])
    assert isinstance(chosen.exception, UsageError)
    assert "no run that has results meets model.kind=mamba" in str(chosen.exception)
    monkeypatch.setattr("geomem.analysis.sweeps.open_sweep", lambda path: Sweep(path, []))
    assert "no run has results" in str(run(cli, ["figures", str(tmp_path)]).exception)
    diverged = Sweep(tmp_path, make_members(status="diverged"))
    monkeypatch.setattr("geomem.analysis.sweeps.open_sweep", lambda path: diverged)
    with pytest.raises(UsageError, match="2 of 2 runs diverged, and figures do not show them"):
        call(cli, "figures", tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'geomem\[plots\]'"):
        call(cli, "figures", tmp_path)


def test_the_command_writes_where_it_is_told(monkeypatch, tmp_path):
    sweep = Sweep(tmp_path, make_members(1, graph=CYCLE, task=NO_PATHS))
    monkeypatch.setattr("geomem.analysis.sweeps.open_sweep", lambda path: sweep)
    out = tmp_path / "elsewhere"
    arguments = ["figures", str(tmp_path), "--out", str(out), "--format", "svg"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0
    assert result.stdout.split() == [str(out / f"{path.stem}.svg") for path in _written(result)]
    assert all((out / path.name).exists() for path in _written(result))


def test_the_command_module_needs_no_matplotlib():
    code = f"import sys, {command.__name__}; print('matplotlib' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


def _written(result):
    return [Path(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("sizes", [[6], [4, 6]])
def test_accuracy_against_size_explains_its_marks_and_draws_what_its_legend_names(sizes):
    members = [
        member
        for arms in sizes
        for state in (1, 2)
        for member in make_members(
            3,
            {"kind": "path_star", "arms": arms, "length": 4},
            model={"kind": "mamba", "width": 16, "state": state},
        )
    ]
    figure = accuracy_against_size(members)
    (ax,) = figure.axes
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    colours, rest = texts[:2], texts[2:]
    assert [text.partition(",")[0] for text in colours] == ["mamba", "mamba"]
    assert [text[:9] for text in rest if "median of" not in text] == [
        *("exact mat", "first hop", "chance, 1")
    ]
    handles = dict(zip(texts, figure.legends[0].legend_handles, strict=True))
    assert [handles[text].get_marker() for text in rest[:2]] == ["o", "x"]
    (chance,) = [line for line in ax.lines if line.get_label().startswith("chance")]
    assert np.ptp(chance.get_xdata()) > 0
    places = {float(x) for line in ax.lines if line.get_marker() in "ox" for x in line.get_xdata()}
    assert len(places) == (4 if sizes == [6] else 2)  # of one size, none hides another
