"""A small text data set, to be varied."""

import pytest

from geomem.train.config.one_run import read_run
from geomem.train.tasks.graphs import build_graph
from tests.train.tasks.text_files import EDGES, SHORT


@pytest.fixture
def files(tmp_path):
    """Return a function that writes texts and builds the graph of them."""

    def build(edges=EDGES, train="x=r,a,x\n", test="y=r,b,y\n"):
        texts = {"edge_file": edges, "train_file": train, "test_file": test}
        given = {name: text for name, text in texts.items() if text is not None}
        for name, text in given.items():
            (tmp_path / f"{name[:-5]}.txt").write_bytes(text.encode())
        section = {name: str(tmp_path / f"{name[:-5]}.txt") for name in given}
        return build_graph(read_run({**SHORT, "graph": {"kind": "text", **section}}).graph)

    return build
