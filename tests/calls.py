"""A command line that is called in this process."""

from click.testing import CliRunner


def call(cli, *words, code=0):
    """Return what goes to stdout; raises what the command raises, or if its exit code differs."""
    result = CliRunner().invoke(cli, list(map(str, words)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout
