"""What may import what, and that the packages stay where the build expects them."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("kernels", "models", "train", "analysis", "bench")
MAY_IMPORT = {
    "kernels": {"kernels"},
    "models": {"kernels", "models"},
    "train": {"kernels", "models", "train"},
    # An analysis reads packs, and asks the sweep's journal which of them count. Its tables are
    # made as those of the results, and its edge lists read as those of a grid file.
    "analysis": {
        *("analysis", "train.packs", "train.errors", "train.lazy_cli", "train.paths"),
        *("train.sweep.folder", "train.sweep.state", "train.sweep.store"),
        *("train.sweep.results", "train.sweep.where"),
        *("train.sweep.cells", "train.sweep.errors", "train.sweep.export"),
        *("train.sweep.table", "train.sweep.words"),
        "train.tasks.edge_list",
    },
    "bench": {"kernels", "models", "train", "analysis", "bench"},
    # The rooms of train, each knowing only those before it.
    "train/packs": {"train.packs", "train.errors", "train.canonical"},
    "train/config": {"train.config", "train.errors", "train.canonical"},
    "train/tasks": {"kernels", "train.config", "train.packs", "train.tasks"},
    "train/stack": {
        *("kernels", "models", "train.config", "train.tasks", "train.stack", "train.packs"),
    },
    "train/sweep": {
        *("train.config", "train.tasks", "train.stack", "train.sweep", "train.packs"),
        *("train.errors", "train.canonical"),
    },
}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_one_way(folder):
    allowed = tuple(f"geomem.{name}" for name in MAY_IMPORT[folder])
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        for module in _imports(path):
            top = module.split(".")[0]
            assert top not in FOLDERS, f"{path} imports {module} from the tree, not from geomem"
            if top == "geomem":
                fine = any(module == name or module.startswith(f"{name}.") for name in allowed)
                assert fine, f"{path} imports {module}"


def test_every_package_is_listed_for_the_build():
    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    found = {
        "geomem." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == found


def test_no_module_is_loaded_twice_under_a_bare_name():
    loaded = [name for name in sys.modules if name.split(".")[0] in FOLDERS]
    assert not loaded


@pytest.mark.parametrize("command", ["geomem.train.cli", "geomem.analysis.cli"])
def test_help_needs_neither_torch_nor_matplotlib(command):
    code = (
        f"import sys; from {command} import cli; cli(['--help'], standalone_mode=False);"
        "print([m for m in ('torch', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
