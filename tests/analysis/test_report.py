"""The page of a sweep: what is in it, what is escaped, what is left out, how large it gets."""

import base64
import json
import re
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from geomem.analysis.cli import cli
from geomem.analysis.report import Limits, write_report
from geomem.analysis.report.coordinates import in_basis, packed, quantised, spaced, spread_basis
from geomem.analysis.report.nodes import by_set, by_training, colourings, edges_among, shown_nodes
from geomem.analysis.report.page import fill, in_script
from geomem.analysis.report.view import make_view
from geomem.analysis.sweeps import Sweep
from tests.analysis.made import STEPS, make_members

ROOT = Path(__file__).resolve().parents[2]
CYCLE = {"graph": {"kind": "cycle", "nodes": 8}, "task": {"recipe": "edges_only"}}
HOSTILE = "</script><b>x"
PATHS = np.array([[0, 1, 2], [0, 3, 4], [0, 5, 6]])


class _Page(HTMLParser):
    """Tags with their attributes, and the text of elements."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._open = [], {}, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data):
        self.texts[self._open] = self.texts.get(self._open, "") + data


def _written(tmp_path, members, **options):
    path = write_report(Sweep(tmp_path / "made", members), tmp_path / "out.html", **options)
    text = path.read_text()
    return text, _data(text)


def _data(text):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


def _decoded(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def test_the_page_has_tables_figures_and_embeddings_and_asks_for_nothing(tmp_path):
    text, data = _written(tmp_path, [*make_members(3), *make_members(2, **CYCLE)])
    page = _Page(text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"space", "configurations", "figures", "runs", "embeddings_3d", "spectra"} <= set(ids)
    assert [run["label"] for run in data["runs"]] == [
        f"{graph} · seed {seed}"
        for seed, graphs in ((0, 2), (1, 2), (2, 1))
        for graph in ("transformer · path-star (6, 4)", "transformer, no paths · cycle 8")[:graphs]
    ]
    assert len(data["table"]["rows"]) == 5
    assert "median [lowest–highest]" in text
    for _, attributes in page.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
    assert "://" not in re.sub(r"data:image/[^\"]*", "", text)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert all(image["alt"] for image in images)
    labelled = re.findall(r"<label[^>]*>.*?</label>", text)
    controls = re.findall(r"<(?:select|input)\b", text)
    assert len(labelled) == len(controls)


def test_the_page_has_the_findings_that_its_runs_are_about(tmp_path):
    star = {"kind": "path_star", "arms": 128, "length": 3}
    sweep = Sweep(tmp_path, make_members(5, star))
    text = write_report(sweep, tmp_path / "page.html").read_text()
    assert re.findall('class="finding"><h3>(\\w+) ', text)[0] == "1a"
    assert re.search("Not tested here: .*1c The hardest token", text)


def test_the_same_sweep_gives_the_same_page(tmp_path):
    first, _ = _written(tmp_path, make_members())
    assert _written(tmp_path, make_members())[0] == first


def test_names_are_text_wherever_they_come_from(tmp_path):
    names = [f"{HOSTILE}{at}" for at in range(8)]
    members = make_members(1, names=names, **CYCLE)
    sweep = Sweep(tmp_path / "x" / "..", members)
    path = write_report(sweep, tmp_path / "out.html", conditions=[f"graph.kind={HOSTILE}"])
    text = path.read_text()
    assert HOSTILE not in text
    assert "graph.kind=&lt;/script&gt;&lt;b&gt;x" in text
    assert _data(text)["graphs"][0]["names"] == names
    assert not [tag for tag, _ in _Page(text).tags if tag == "b"]


def test_a_sweep_with_a_hostile_name(tmp_path):
    hostile = "a&<b>{{data}}"
    text = write_report(Sweep(tmp_path / hostile, make_members(1)), tmp_path / "o").read_text()
    assert "<title>a&amp;&lt;b&gt;{{data}} – geomem</title>" in text
    assert text.count('"runs":') == 1


def test_json_in_a_script_reads_back():
    value = {"a": [HOSTILE, "<!--", "&amp;", "\u2028", "é"]}
    assert not set("<>&") & set(in_script(value))
    assert json.loads(in_script(value)) == value


def test_a_place_is_filled_once():
    assert fill("{{a}} {{b}}", {"a": "{{b}}", "b": "2"}) == "{{b}} 2"


def test_runs_beyond_the_limits_are_left_out_and_the_page_says_so(tmp_path):
    limits = Limits(runs=3, nodes=9, steps=2, lines=1, rows=4)
    members = [*make_members(3), *make_members(3, **CYCLE)]
    text, data = _written(tmp_path, members, limits=limits)
    assert len(data["runs"]) == 3
    assert "holds 3 runs" in text
    assert "3 more that are done did not fit" in text
    assert "At most 9 nodes and 2 steps" in text
    assert "The first 1 of 2 configurations" in text
    assert len(data["table"]["rows"]) == 4
    assert data["table"]["left_out"] == 2
    star = data["graphs"][data["runs"][0]["graph"]]
    assert star["n"] == 19
    assert len(_decoded(star["nodes"], "<i4")) == 7  # the root and two whole arms
    assert len(_decoded(star["edges"], "<i4")) == 2 * 6


def test_coordinates_have_a_budget():
    members = make_members(5)
    view = make_view(members, Limits(numbers=4 * 19 * 3))
    assert [len(run["steps"]) for run in view.runs] == [3, 1]
    assert view.left_out == 3
    assert view.thinned


def test_a_view_shares_graphs_and_ends_where_training_did():
    members = [*make_members(2), *make_members(1, model={"kind": "mamba", "width": 16})]
    view = make_view(members, Limits())
    assert len(view.graphs) == 1
    assert [run["steps"] for run in view.runs] == [STEPS.tolist()] * 3
    points = _decoded(view.runs[0]["points"], "<i2").reshape(3, 19, 3) * view.runs[0]["scale"]
    embedding = members[0].tensor("embedding")
    basis = spread_basis(embedding)
    centred = embedding - embedding.mean(0)
    np.testing.assert_allclose(points[-1] / 32_767, centred @ basis.axes, atol=2e-4)
    assert not view.left_out
    assert not view.thinned


def test_what_diverged_is_in_the_table_only(tmp_path):
    members = [*make_members(1), *make_members(1, status="diverged", **CYCLE)]
    members[1].tensor("embedding")[:] = np.nan
    text, data = _written(tmp_path, members)
    assert len(data["runs"]) == 1
    assert "1 done, 1 diverged" in text


def test_one_basis_for_all_steps():
    rng = np.random.default_rng(0)
    last = rng.standard_normal((30, 5)) * np.array([5, 3, 2, 0.1, 0.1])
    basis = spread_basis(last)
    assert basis.shares.sum() > 0.99
    points = in_basis(np.stack([last + 7, 2 * last]), basis)
    np.testing.assert_allclose(points[1], 2 * points[0], atol=1e-9)
    np.testing.assert_allclose(
        np.linalg.svd(last - last.mean(0))[1][:3], np.linalg.norm(points[0], axis=0)
    )
    flat = spread_basis(last[:, :2])
    assert flat.axes.shape == (2, 3)
    assert not flat.axes[:, 2].any()


def test_quantised_points():
    values, scale = quantised(np.array([[[1.0, -2.0, 0.5]]]))
    assert values.tolist() == [[[16384, -32767, 8192]]]
    assert scale == 2
    assert quantised(np.zeros((1, 2, 3)))[1] == 0
    assert base64.b64decode(packed(np.array([1, -2], np.int16))) == b"\x01\x00\xfe\xff"
    assert spaced(10, 3).tolist() == [0, 4, 9]
    assert spaced(2, 5).tolist() == [0, 1]


def test_nodes_that_are_shown():
    assert shown_nodes(7, PATHS, 7).tolist() == list(range(7))
    assert shown_nodes(7, PATHS, 5).tolist() == [0, 1, 2, 5, 6]
    assert shown_nodes(7, None, 3).tolist() == [0, 3, 6]
    edges = np.array([[0, 1], [1, 2], [0, 5], [5, 6], [2, 3]])
    nodes = np.array([0, 5, 6])
    assert edges_among(edges, nodes, 7).tolist() == [[0, 1], [1, 2]]


def test_colours_of_nodes():
    sets = {"leaves": np.array([2, 4, 6]), "root": np.array([0])}
    found = {colouring.name: colouring for colouring in colourings(7, sets, PATHS)}
    assert found["hops from the root"].values.tolist() == [0, 1, 2, 1, 2, 1, 2]
    assert found["arm"].values.tolist() == [-1, 0, 0, 1, 1, 2, 2]
    assert found["node order"].values.tolist() == list(range(7))
    assert by_set(7, sets).labels == ("leaves", "root")
    assert by_set(7, sets).values.tolist() == [1, -1, 0, -1, 0, -1, 0]
    assert by_training(7, PATHS, np.array([1])).values.tolist() == [2, 0, 0, 1, 1, 0, 0]


def test_the_page_of_many_runs_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr("geomem.analysis.report.page.pictures", lambda *_: "")
    text, data = _written(tmp_path, make_members(1_000, **CYCLE))
    assert len(data["runs"]) == 60
    assert len(data["table"]["rows"]) == 1_000
    assert len(text) < 400_000


def test_the_command(tmp_path, monkeypatch):
    sweep = Sweep(tmp_path, make_members(1, **CYCLE))
    monkeypatch.setattr("geomem.analysis.sweeps.open_sweep", lambda path: sweep)
    monkeypatch.setattr("geomem.analysis.report.page.pictures", lambda *_: "")
    result = CliRunner().invoke(cli, ["report", str(tmp_path)])
    assert result.stdout == f"{tmp_path / 'report.html'}\n"
    assert (tmp_path / "report.html").exists()
    elsewhere = tmp_path / "new" / "page.html"
    result = CliRunner().invoke(cli, ["report", str(tmp_path), "--out", str(elsewhere)])
    assert elsewhere.exists()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = CliRunner().invoke(cli, ["report", str(tmp_path)])
    assert "pip install 'geomem[plots]'" in str(result.exception)


@pytest.mark.parametrize(
    "file", ["page.html", "findings.html", "page.css", "paint.js", "view.js", "runs.js"]
)
def test_what_the_page_is_made_of_is_shipped(file):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["geomem.analysis.report"]
    assert any(Path(file).match(pattern) for pattern in patterns)
    assert (ROOT / "analysis" / "report" / file).exists()
