"""Run mypy over the whole package and make sure that it saw the whole package."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("kernels", "models", "train", "analysis", "bench")


def main() -> int:
    """Return mypy's exit code, or 1 if it checked fewer files than there are."""
    expected = sum(1 for folder in FOLDERS for _ in (ROOT / folder).rglob("*.py"))
    command = [sys.executable, "-m", "mypy"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(result.stdout, result.stderr, sep="", end="")
    seen = re.search(r"(?:in|checked) (\d+) source files", result.stdout)
    if result.returncode == 0 and (seen is None or int(seen[1]) < expected):
        print(f"mypy was to check {expected} files of {', '.join(FOLDERS)}")
        return 1
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
