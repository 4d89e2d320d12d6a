"""Small sweeps with the fake worker, in this process or in one that can be killed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from geomem.train.config import load_grid
from geomem.train.packs import open_pack
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.opening import Request
from geomem.train.sweep.run import run_sweep
from geomem.train.sweep.state import read_state

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FAKE = (sys.executable, str(HERE / "fake_worker.py"))
GRID = """
version: 1
name: {name}
defaults:
  graph: {{kind: path_star, arms: 4, length: 5}}
  model: {{kind: transformer, layers: 1, width: 32}}
  train: {{steps: {steps}}}
  optim: {{lr: 1e-2}}
grid: {{optim.lr: [{rates}]}}
seeds: {seeds}
execution: {{stack: {stack}, workers: {workers}, retries: 2, checkpoint_seconds: {save}}}
"""


class Sweeper:
    """A grid file and a sweep directory in a temporary folder."""

    def __init__(self, tmp, name="sweep"):
        self.tmp = tmp
        self.grid = tmp / "grid.yaml"
        self.out = tmp / name
        self.folder = Folder(self.out)
        self.write_grid()

    def write_grid(self, **changes):
        fields = {
            "name": "tiny",
            "rates": "1e-2",
            "seeds": "0-7",
            "stack": 4,
            "workers": 2,
            "steps": 5,
            "save": 300,
        }
        self.grid.write_text(GRID.format(**fields | changes))

    def run(self, shard=None, retry=(), quiet=True):
        """The exit code of a sweep in this process."""
        loaded = load_grid(self.grid)
        request = Request(loaded, str(self.grid), (), shard, retry)
        return run_sweep(
            self.folder, request, loaded.execution, "geomem-train sweep again", quiet, FAKE
        )

    @property
    def starts(self):
        """A file for `starts` of the fake worker: a line per stack in training."""
        return self.tmp / "starts"

    def is_training(self):
        """Whether both stacks began with the fake worker told of `starts`."""
        return self.starts.exists() and self.starts.read_text().count("\n") == 2

    def start(self, **environment):
        """A sweep in a process of its own."""
        code = (
            "import sys; from pathlib import Path; from tests.train.sweep.helpers import Sweeper;"
            "from geomem.train import cli;"
            "cli.cli = lambda **_: sys.exit(Sweeper.at(Path(sys.argv[1]), sys.argv[2]).run());"
            "cli.main()"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code, str(self.tmp), self.out.name],
            cwd=ROOT,
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    @classmethod
    def at(cls, tmp, name):
        """The sweep of an existing folder."""
        sweeper = cls.__new__(cls)
        sweeper.tmp, sweeper.grid, sweeper.out = tmp, tmp / "grid.yaml", tmp / name
        sweeper.folder = Folder(sweeper.out)
        return sweeper

    @property
    def state(self):
        return read_state(self.folder)

    @property
    def counts(self):
        state = self.state
        return {status: n for status, n in state.count(state.runs).items() if n}

    def tensors(self):
        """Per run of the grid: the bytes of each of its tensors."""
        found = {}
        for result in self.state.results.values():
            pack = open_pack(self.folder.packs / result.commit.pack)
            run = pack.members[result.member]["run"]
            found[run] = {
                name: pack.tensor(name)[... if name in pack.shared else result.member].tobytes()
                for name in pack.names
            }
        return found

    def packs(self):
        return sorted(path.name for path in self.folder.packs.iterdir())

    def journal(self, name="main"):
        return self.folder.journal / f"{name}.jsonl"


def wait_for(condition):
    """Until it holds; the limit is only there to end."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def children_of(pid):
    """Living processes whose parent is `pid`."""
    numbers = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [n for n in numbers if alive(n) and _stat(n)[1] == str(pid)]


def alive(pid):
    """Whether a process is there and no zombie."""
    return _stat(pid)[0] not in "ZX"


def _stat(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["X", ""]


def control(**fields):
    return json.dumps(fields)
