"""Intervals of seconds, and what they have in common. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """All values from `low` to `high`, both included; seconds."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def empty(self) -> bool:
        return self.low > self.high

    def meet(self, other: Interval) -> Interval:
        """What is in both; empty if nothing is."""
        return Interval(max(self.low, other.low), min(self.high, other.high))


def agreement(intervals: Sequence[Interval]) -> tuple[Interval, int]:
    """The values that most of the intervals contain, and how many do (Marzullo's algorithm, 1984).

    Of several such stretches the first is returned. Needs at least one interval.
    """
    # Ends sort behind beginnings of the same value: intervals that touch have that value in common.
    edges = sorted([(one.low, 0) for one in intervals] + [(one.high, 1) for one in intervals])
    best = depth = 0
    found = intervals[0]
    for position, (value, is_end) in enumerate(edges):
        if is_end:
            depth -= 1
            continue
        depth += 1
        if depth > best:
            best = depth
            found = Interval(value, edges[position + 1][0])
    return found, best
