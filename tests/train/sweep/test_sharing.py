"""Which stacks are trained as one, and what a sweep then leaves."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from geomem.analysis.hops import hop_correlation, hop_table
from geomem.train.config import load_grid
from geomem.train.config.execution import Execution
from geomem.train.packs import open_pack
from geomem.train.stack import train_stack, train_stacks
from geomem.train.sweep.engine import WORKER
from geomem.train.sweep.opening import Request
from geomem.train.sweep.run import run_sweep
from geomem.train.sweep.sharing import Candidate, share_key, share_sizes
from geomem.train.sweep.sizing import CPU_ROOM, Sizing
from geomem.train.sweep.slots import Slots
from tests.train.sweep.helpers import Sweeper
from tests.train.tasks.text_files import write_files

TINY = [
    {"kind": "path_star", "arms": 4, "length": 5},
    {"kind": "grid", "rows": 4, "columns": 4},
    {"kind": "cycle", "nodes": 15},
    {"kind": "irregular"},
]
GRID = """
version: 1
name: sizes
defaults:
  model: {{kind: transformer, layers: 1, width: 32}}
  optim: {{lr: 1e-2}}
  train: {{steps: {steps}, eval_every: 5, history_every: 5}}
grid:
  graph:
    - {{kind: path_star, arms: 4, length: 5}}
    - {{kind: cycle, nodes: 12}}
    - {{kind: grid, rows: 3, columns: 4}}
seeds: 0-1
execution: {{device: cpu, workers: 1, retries: 1, share_sizes: {share}}}
"""


def _path_stars(arms, length=5):
    return [{"kind": "path_star", "arms": n, "length": length} for n in arms]


def _stacks(make_run, graphs, members=8, steps=100, **sections):
    return [Candidate(make_run(graph=graph, **sections), members, steps) for graph in graphs]


def _shared(stacks, slots=1, device="cpu", room=CPU_ROOM, **execution):
    options = Execution(**execution)
    return share_sizes(stacks, options, Sizing(options.stack, room), Slots(device, slots, 1))


LARGE = {
    "task": {"recipe": "mixed"},
    "model": {"layers": 2, "width": 64},
    "train": {"edge_batch": 512, "path_batch": 48},
}


class TestRule:
    def test_launches_are_shared(self, make_run):
        assert _shared(_stacks(make_run, TINY)) == [[0, 1, 2, 3]]

    def test_products_are_not_padded(self, make_run):
        stacks = _stacks(make_run, _path_stars([64, 128, 256, 512]), **LARGE)
        assert _shared(stacks) == [[0], [1], [2], [3]]

    def test_neighbours_in_size_share_and_the_order_of_the_plan_stays(self, make_run):
        stacks = _stacks(make_run, _path_stars([128, 4, 130, 5]), members=2)
        assert _shared(stacks) == [[0, 2], [1, 3]]

    def test_no_gpu_is_measured_so_none_shares(self, make_run):
        assert len(_shared(_stacks(make_run, TINY), device="cuda")) == 4

    def test_never(self, make_run):
        assert len(_shared(_stacks(make_run, TINY), share_sizes="never")) == 4

    def test_members_stay_within_what_the_user_allows(self, make_run):
        jobs = _shared(_stacks(make_run, TINY), stack=16)
        assert sorted(map(len, jobs)) == [2, 2]
        assert len(_shared(_stacks(make_run, TINY), stack=8)) == 4

    def test_memory_is_bounded(self, make_run):
        room = replace(CPU_ROOM, members=16)
        assert sorted(map(len, _shared(_stacks(make_run, TINY), room=room))) == [2, 2]

    def test_no_worker_goes_idle(self, make_run):
        assert sorted(map(len, _shared(_stacks(make_run, TINY), slots=2))) == [2, 2]
        assert len(_shared(_stacks(make_run, TINY), slots=4)) == 4

    def test_a_larger_graph_never_makes_sharing_better(self, make_run):
        """Beside a small graph, padding costs the more the larger the other is."""
        joined = [
            len(_shared(_stacks(make_run, _path_stars([4, arms])))) == 1
            for arms in (5, 8, 16, 64, 256)
        ]
        assert joined[0]
        assert not joined[-1]
        assert all(before or not after for before, after in pairwise(joined))

    def test_attempts_are_kept_apart(self, make_run):
        first, second = _stacks(make_run, TINY[:2])
        assert _shared([first, second._replace(attempt=1)]) == [[0], [1]]


class TestKey:
    def test_graphs_of_any_kind_without_paths(self, make_run):
        assert len({share_key(make_run(graph=graph)) for graph in TINY}) == 1

    def test_paths_are_of_one_length(self, make_run):
        graphs = [*_path_stars([4, 5]), *_path_stars([4], length=6)]
        mixed = {"recipe": "mixed"}
        same, too, other = (share_key(make_run(graph=graph, task=mixed)) for graph in graphs)
        assert same == too != other

    @pytest.mark.parametrize(
        "sections",
        [
            {"model": {"width": 32}},
            {"model": {"kind": "mamba"}},
            {"task": {"self_edges": True}},
            {"train": {"edge_batch": 3}},
            {"train": {"eval_every": 3}},
        ],
    )
    def test_all_else_is_of_one_shape(self, make_run, sections):
        assert share_key(make_run(**sections)) != share_key(make_run())

    @pytest.mark.parametrize(
        "sections",
        [
            {"model": {"dropout": 0.1}},
            {"model": {"kind": "node2vec", "width": 4}, "optim": {"weight_decay": 0.0}},
            {"task": {"kind": "in_context"}, "train": {"path_batch": 3}},
        ],
    )
    def test_what_never_shares(self, make_run, sections):
        assert share_key(make_run(**sections)) is None


def test_dividing_needs_no_torch():
    code = "import sys, geomem.train.sweep.sharing as s; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


@pytest.fixture
def sizes(tmp_path):
    """A grid of three graphs with two runs each, one worker, and no directory yet."""
    sweeper = Sweeper(tmp_path)
    sweeper.grid.write_text(GRID.format(steps=4, share="auto"))
    return sweeper


def _starts(path):
    return [int(line.split()[0]) for line in path.read_text().splitlines()]


class TestSweep:
    def test_each_stack_leaves_its_own_pack(self, sizes, fake, tmp_path, capfd):
        fake(starts=str(tmp_path / "starts"))
        assert sizes.run(quiet=False) == 0
        assert _starts(tmp_path / "starts") == [6]
        assert sizes.counts == {"done": 6}
        commits = sizes.state.commits.values()
        assert [len(commit.members) for commit in commits] == [2, 2, 2]
        for commit in commits:
            pack = open_pack(sizes.folder.packs / commit.pack)
            assert pack.metadata["stack"] == commit.stack
            assert len({str(member["config"]["graph"]) for member in pack.members}) == 1
        assert not list(sizes.folder.checkpoints.iterdir())
        assert "6 runs: 6 done" in capfd.readouterr().err

    def test_out_of_memory_separates_them(self, sizes, fake, tmp_path, capfd):
        fake(oom=2, starts=str(tmp_path / "starts"))
        assert sizes.run() == 0
        assert _starts(tmp_path / "starts") == [6, 2, 2, 2]
        said = "out of memory: 3 stacks trained as one go on by themselves"
        assert said in capfd.readouterr().err

    def test_a_stack_that_fails_does_so_alone(self, sizes, fake, tmp_path):
        fake(oom=4, fail=1)
        assert sizes.run() == 3
        assert sizes.counts == {"failed": 6}  # every stack has a seed 1
        assert len(sizes.state.failures) == 3

    def test_a_worker_that_dies_again_and_again(self, sizes, fake, tmp_path):
        token = tmp_path / "token"
        token.touch()
        fake(die=1, token=str(token), starts=str(tmp_path / "starts"))
        assert sizes.run() == 3
        assert _starts(tmp_path / "starts") == [6, 6] + [2] * 6
        assert len(sizes.state.failures) == 3

    def test_what_was_committed_of_a_job_is_not_trained_again(self, sizes, fake, tmp_path):
        fake(starts=str(tmp_path / "starts"))
        assert sizes.run() == 0
        lines = sizes.journal().read_bytes().splitlines(keepends=True)
        sizes.journal().write_bytes(b"".join(lines[:1]))  # killed after the first commit
        assert sizes.run() == 0
        assert _starts(tmp_path / "starts") == [6, 4]
        assert sizes.counts == {"done": 6}


def _really(tmp_path, share):
    sweeper = Sweeper(tmp_path, share)
    sweeper.grid.write_text(GRID.format(steps=10, share=share))
    loaded = load_grid(sweeper.grid)
    request = Request(loaded, str(sweeper.grid), (), None, ())
    done = run_sweep(sweeper.folder, request, loaded.execution, "again", True, WORKER)
    assert done == 0
    return sweeper


def test_packs_and_findings_are_those_of_stacks_by_themselves(tmp_path):
    shared, apart = (_really(tmp_path, share) for share in ("auto", "never"))
    log = (shared.folder.logs / "worker-1.log").read_text()
    assert log.count("6 runs on cpu") == 1
    assert shared.state.commits.keys() == apart.state.commits.keys()
    for stack, commit in shared.state.commits.items():
        found, wanted = (
            open_pack(sweep.folder.packs / sweep.state.commits[stack].pack)
            for sweep in (shared, apart)
        )
        assert commit.members == apart.state.commits[stack].members
        assert found.members == wanted.members
        assert (found.names, found.shared) == (wanted.names, wanted.shared)
        for name in found.names:
            np.testing.assert_allclose(
                found.tensor(name), wanted.tensor(name), rtol=2e-3, atol=2e-4, err_msg=name
            )
        scores = [
            hop_correlation(
                pack.tensor("embedding"),
                hop_table(pack.tensor("edges"), pack.tensor("embedding").shape[1]),
            )
            for pack in (found, wanted)
        ]
        np.testing.assert_allclose(*scores, atol=1e-3)


def test_text_data_sets_share_where_their_paths_are_of_one_length(make_run, tmp_path):
    def text(arms, length):
        folder = tmp_path / f"{arms}-{length}"
        folder.mkdir()
        return write_files(folder, {"kind": "path_star", "arms": arms, "length": length})

    mixed = {"task": {"recipe": "mixed"}, "train": {"steps": 9}}
    short, other, long = (make_run(graph=text(*s), **mixed) for s in ((4, 3), (8, 3), (4, 4)))
    star = make_run(graph=_path_stars([4], 3)[0], **mixed)
    assert share_key(short) == share_key(other) == share_key(star) != share_key(long)
    alone = [train_stack([run]).tensors["metrics/exact_match"] for run in (short, other)]
    padded = train_stacks([[short], [other]])
    for one, result in zip(alone, padded, strict=True):
        assert np.array_equal(one, result.tensors["metrics/exact_match"], equal_nan=True)
