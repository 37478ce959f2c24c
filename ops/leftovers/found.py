"""What was found to be left."""

from __future__ import annotations

from typing import NamedTuple


class Left(NamedTuple):
    """A thing that is left. remove: a command, or with what it goes."""

    kind: str
    id: str
    why: str
    remove: str
    state: str = ""


class Remains(NamedTuple):
    """unasked: the questions that were refused, in words; what they would have found is not known."""

    left: list[Left]
    unasked: list[str]
