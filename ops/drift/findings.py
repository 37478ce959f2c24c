"""What a comparison finds."""

from __future__ import annotations

from typing import NamedTuple

from ops.drift.compare import Difference

GONE = Difference("", "there", "deleted")


class Drift(NamedTuple):
    """A difference in a stack. logical_id: "" for one of the stack itself."""

    stack: str
    logical_id: str
    difference: Difference

    @property
    def top(self) -> str:
        """The property that it is in."""
        return self.difference.path.strip("/").split("/")[0]


class Findings(NamedTuple):
    drifts: list[Drift]
    unchecked: list[str]  # in words
