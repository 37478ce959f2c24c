"""How a function becomes a drill."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from drills.scene import Scene


class Drill(NamedTuple):
    """what: the fault, in words. play: breaks it, and says what must hold."""

    name: str
    what: str
    play: Callable[[Scene], None]


DRILLS: dict[str, Drill] = {}


def drill(what: str) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Decorator: the function is the drill of its own name, with hyphens."""

    def add(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        name = play.__name__.replace("_", "-")
        DRILLS[name] = Drill(name, what, play)
        return play

    return add
