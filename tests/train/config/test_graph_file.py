"""Edge lists: found beside the grid file, known by their content."""

import hashlib

import pytest

from geomem.train.config import load_grid, run_id

EDGES = b"a b\nb c\n"
DIGEST = hashlib.sha256(EDGES).hexdigest()


@pytest.fixture
def text(base):
    return base.replace("kind: cycle, nodes: 15", "kind: edge_list, path: e.txt")


def test_path_and_digest_are_filled_in(load, text, tmp_path, monkeypatch):
    (tmp_path / "e.txt").write_bytes(EDGES)
    (run,) = load(text).runs
    assert (run.graph.path, run.graph.sha256) == (str(tmp_path / "e.txt"), DIGEST)
    monkeypatch.chdir("/")  # relative to the grid file, not to where the command runs
    assert load_grid(tmp_path / "g.yaml").runs == (run,)


def test_the_content_is_the_identity(load, text, tmp_path):
    (tmp_path / "e.txt").write_bytes(EDGES)
    (tmp_path / "copy.txt").write_bytes(EDGES)
    (run,) = load(text).runs
    (copy,) = load(text.replace("e.txt", "copy.txt")).runs
    assert run_id(copy) == run_id(run)
    (tmp_path / "e.txt").write_bytes(b"a c\n")
    assert run_id(load(text).runs[0]) != run_id(run)


def test_the_right_digest_is_accepted_and_a_wrong_one_refused(load, refusal, text, tmp_path):
    (tmp_path / "e.txt").write_bytes(EDGES)
    given = text.replace("e.txt", f"e.txt, sha256: {DIGEST}")
    assert load(given).runs == load(text).runs
    (tmp_path / "e.txt").write_bytes(b"a c\n")
    now = hashlib.sha256(b"a c\n").hexdigest()
    assert refusal(given) == (
        f"g.yaml:3:49: graph.sha256: the file now has {now}; "
        "check what changed, then write that or leave it out"
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("e.txt", "{folder}/e.txt cannot be read: no such file or directory"),
        (".", "{folder} is not a file"),
        ("sub/../../x", "{folder.parent}/x cannot be read: no such file or directory"),
        ("''", "string should have at least 1 character, got the text ''"),
        ('"a\\0b"', "embedded null byte"),
    ],
)
def test_files_that_cannot_be_read(refusal, text, tmp_path, path, message):
    expected = "g.yaml:3:34: graph.path: " + message.format(folder=tmp_path)
    assert refusal(text.replace("e.txt", path)) == expected
