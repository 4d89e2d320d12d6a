"""Tokens: nine special ones first, then the nodes, so that a larger graph only adds at the end."""

from enum import IntEnum


class Special(IntEnum):
    """The special tokens of arXiv 2510.26745, as token ids."""

    DELIMITER = 0
    PAUSE = 1
    PATH_SEPARATOR = 2
    TEACHERLESS = 3
    FORWARD_EDGE = 4
    BACKWARD_EDGE = 5
    PAD = 6
    EDGE = 7
    PATH = 8


FIRST_NODE = len(Special)
