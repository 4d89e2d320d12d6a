"""The errors that end a command with a message and an exit code, without a traceback."""


class GeomemError(Exception):
    """Something that the user can act on; `exit_code` is what the command line ends with."""

    exit_code = 1
