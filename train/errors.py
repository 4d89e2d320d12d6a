"""The errors that end a command with a message and an exit code, without a traceback."""

from enum import IntEnum


class Exit(IntEnum):
    """What the command lines end with; the last two as in sysexits.h."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SOME_FAILED = 3
    IN_USE = 4
    DAMAGED = 5
    DISK = 74
    INTERRUPTED = 75


class GeomemError(Exception):
    """Something that the user can act on; `exit_code` is what the command line ends with."""

    exit_code = Exit.FAILED
