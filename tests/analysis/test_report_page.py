"""The page in a browser: what it draws, that it turns and plays, and that it asks for nothing."""

import itertools
import json

import pytest

from geomem.analysis.report import page, write_report
from geomem.analysis.sweeps import Sweep
from tests.analysis.browser import CHROMIUM, Browser
from tests.analysis.made import make_members

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

CANVAS = "document.getElementById('canvas')"
BY_ID = "document.getElementById('{}')"
SEEDS = (7, 2**53 + 1, 2**63 - 1)  # JavaScript's numbers hold the first alone
LARGE = {"kind": "path_star", "arms": 5_000, "length": 5}
TURNS = f"""
(async () => {{
  for (let i = 0; i < 60; i++) {{
    {CANVAS}.dispatchEvent(new KeyboardEvent("keydown", {{key: "ArrowLeft"}}));
    await new Promise(requestAnimationFrame);
  }}
}})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def opened(browser, tmp_path, monkeypatch):
    """Return a function that opens the page of some runs in the browser."""
    for images in ("pictures", "findings"):
        monkeypatch.setattr(page, images, lambda *_: "")

    def open_page(members, **options):
        sweep = Sweep(tmp_path / "sweep", members)
        browser.problems.clear()
        browser.requests.clear()
        browser.open(write_report(sweep, tmp_path / "page.html", **options))
        return browser

    yield open_page
    assert browser.problems == []
    # What a page holds within itself asks nobody, and may be told of late.
    asked = [url for url in browser.requests if not url.startswith("data:")]
    assert asked == [(tmp_path / "page.html").as_uri()]


def _facts(browser):
    """What the page says of its picture, once that rests."""
    browser.wait_for(f"{CANVAS}.dataset.checksum")
    return json.loads(browser.run(f"JSON.stringify({CANVAS}.dataset)"))


def _after(browser, action):
    """The same after an action; of what rested meanwhile nothing is asked, but of one more draw."""
    action()
    fit = BY_ID.format("fit")
    browser.run(f"{CANVAS}.dataset.checksum = ''; {fit}.dispatchEvent(new Event('change'))")
    return _facts(browser)


def _choose(browser, element, value):
    place = BY_ID.format(element)
    browser.run(f"{place}.value = {value}; {place}.dispatchEvent(new Event('change'))")


def _middle(browser):
    box = json.loads(browser.run(f"JSON.stringify({CANVAS}.getBoundingClientRect())"))
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_picture_turns_zooms_and_takes_colours(opened):
    browser = opened(make_members(2))
    first = _facts(browser)
    assert (first["points"], first["edges"], first["step"]) == ("19", "18", "20")
    assert 0.001 < float(first["inked"]) < 0.5
    x, y = _middle(browser)
    actions = (
        lambda: browser.drag((x, y), (x + 120, y + 30)),
        lambda: browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-200),
        lambda: browser.key("ArrowUp", 38),
        lambda: browser.key("-"),
        lambda: _choose(browser, "colour", 2),
        lambda: browser.run(f"{BY_ID.format('edges')}.click()"),
        lambda: browser.run(f"{BY_ID.format('reset')}.click()"),
        lambda: _choose(browser, "run", 1),
    )
    seen = [first, *(_after(browser, action) for action in actions)]
    for before, after in itertools.pairwise(seen):
        assert before["checksum"] != after["checksum"]
        assert float(after["inked"]) > 0.001


def test_it_plays_through_the_steps_and_says_which_node_is_pointed_at(opened):
    browser = opened(make_members(1))
    _facts(browser)
    slider = BY_ID.format("step")
    ends = _after(
        browser,
        lambda: browser.run(f"{slider}.value = 0; {slider}.dispatchEvent(new Event('input'))"),
    )
    assert ends["step"] == "0"
    play = BY_ID.format("play")

    def to_the_end():
        browser.run(f"{play}.click()")
        browser.wait_for(f"{play}.textContent === 'Play'")

    played = _after(browser, to_the_end)
    assert played["step"] == "20"
    assert played["checksum"] != ends["checksum"]
    x, y = _middle(browser)
    hover = BY_ID.format("hover")
    spots = itertools.product(range(-160, 161, 8), repeat=2)
    for dx, dy in spots:
        browser.mouse("mouseMoved", x + dx, y + dy)
        if text := browser.run(f"{hover}.textContent"):
            break
    assert text.startswith("node ")


def test_20_000_points_turn_with_all_their_edges(opened):
    browser = opened(make_members(1, graph=LARGE))
    _facts(browser)
    turned = _after(browser, lambda: browser.run(TURNS))
    assert turned["points"] == "20001"
    assert turned["edges"] == "20000"
    assert int(turned["frames"]) == 60
    assert float(turned["frameMs"]) > 0


def test_the_table_is_searched_sorted_and_turned(opened):
    rates = [
        m for state in (4, 8) for m in make_members(40, model={"kind": "mamba", "state": state})
    ]
    browser = opened(rates)
    table = BY_ID.format("run-table")
    assert browser.run(f"{table}.tBodies[0].rows.length") == 50
    browser.run(f"{BY_ID.format('next')}.click()")
    assert browser.run(f"{table}.tBodies[0].rows.length") == 30
    search = BY_ID.format("search")
    browser.run(f"{search}.value = 'DONE 39'; {search}.dispatchEvent(new Event('input'))")
    found = int(browser.run(f"{table}.dataset.found"))
    assert 0 < found < 80
    browser.run(f"{search}.value = ''; {search}.dispatchEvent(new Event('input'))")
    heads = browser.run(f"[...{table}.tHead.rows[0].cells].map(c => c.textContent)")
    at = heads.index("seed")
    click = f"{table}.tHead.rows[0].cells[{at}].firstChild.click()"
    browser.run(f"{click}; {click}")
    assert browser.run(f"{table}.tBodies[0].rows[0].cells[{at}].textContent") == "39"
    assert browser.run(f"{table}.tHead.rows[0].cells[{at}].ariaSort") == "descending"


def test_seeds_are_shown_to_the_last_digit(opened):
    members = make_members(3)
    for member, seed in zip(members, SEEDS, strict=True):
        member.config["seed"] = seed
    browser = opened(members)
    table = BY_ID.format("run-table")
    heads = browser.run(f"[...{table}.tHead.rows[0].cells].map(c => c.textContent)")
    at = heads.index("seed")
    column = f"[...{table}.tBodies[0].rows].map(row => row.cells[{at}].textContent)"
    click = f"{table}.tHead.rows[0].cells[{at}].firstChild.click()"
    browser.run(f"{click}; {click}")
    assert browser.run(column) == [str(seed) for seed in reversed(SEEDS)]
    search = BY_ID.format("search")
    browser.run(f"{search}.value = '{SEEDS[1]}'; {search}.dispatchEvent(new Event('input'))")
    assert browser.run(column) == [str(SEEDS[1])]
    menu = browser.run(f"[...{BY_ID.format('run')}.options].map(o => o.textContent)")
    assert [f"seed {seed} " in text for seed, text in zip(SEEDS, menu, strict=True)] == [True] * 3


def test_hostile_names_are_shown_and_not_run(opened):
    names = [f"</script><img src=x onerror=alert({at})>" for at in range(8)]
    members = make_members(
        1, graph={"kind": "cycle", "nodes": 8}, task={"recipe": "edges_only"}, names=names
    )
    browser = opened(members, conditions=[names[0]])
    _facts(browser)
    assert browser.run("document.images.length") == 0
    assert names[0] in browser.run("document.querySelector('header p').textContent")


def test_a_page_without_embeddings_shows_its_tables(opened):
    browser = opened(make_members(2, status="diverged"))
    assert browser.run(f"{BY_ID.format('space')}.hidden") is True
    links = "[...document.querySelectorAll('nav a')].filter(a => a.checkVisibility())"
    names = browser.run(f"{links}.map(a => a.textContent)")
    assert names == ["Configurations", "Findings", "Figures", "Runs"]
    assert browser.run(f"{BY_ID.format('run-table')}.tBodies[0].rows.length") == 2
