"""The command line `geomem-bench`. Torch is loaded when a benchmark starts."""

import sys

WITHOUT_CLICK = """error: geomem-bench needs the package click (pip install click); without it:
  python -c "from pathlib import Path; from geomem.bench.kernels import *; \\
from geomem.bench.table import table; print(table(run(Request(out=Path('DIR'))).rows))\""""


def main() -> None:
    """Run the command line, or say what it lacks."""
    try:
        from geomem.bench.commands import cli
        from geomem.train.lazy_cli import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print(WITHOUT_CLICK, file=sys.stderr)
        sys.exit(2)
    run(cli)


if __name__ == "__main__":
    main()
