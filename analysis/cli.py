"""The command line `geomem-analyze`. Each command is imported only when it is called."""

import click

from geomem.train.lazy_cli import LazyGroup, run

COMMANDS = {
    "geometry": "Measure how embeddings lie.",
    "spectrum": "Compare embeddings with the graph's spectrum.",
    "recall": "Measure what is recalled, with intervals over seeds.",
    "findings": "Judge the findings of the paper on the runs of sweeps.",
    "superposition": "Measure how facts are stored: sums of attributes, selectors, transfer.",
    "capacity": "Find the width that facts take, and the law that it follows.",
    "figures": "Draw what a sweep has to show.",
    "report": "Write one HTML file that shows a sweep.",
}


@click.group(
    cls=LazyGroup,
    package="geomem.analysis.commands",
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="geomem")
def cli() -> None:
    """Look at what the runs of a sweep memorised, and how.

    \b
    Examples:
      geomem-analyze geometry sweeps/tiny_graphs --where model.kind=mamba
      geomem-analyze figures sweeps/path_star
    """


def main() -> None:
    """Run the command line."""
    run(cli)


if __name__ == "__main__":
    main()
