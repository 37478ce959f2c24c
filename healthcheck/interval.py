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

    @property
    def least(self) -> float:
        """The distance from zero to its nearest value."""
        return max(self.low, -self.high, 0.0)

    @property
    def most(self) -> float:
        """The distance from zero to its farthest value."""
        return max(-self.low, self.high)

    def meet(self, other: Interval) -> Interval:
        """What is in both; empty if nothing is."""
        return Interval(max(self.low, other.low), min(self.high, other.high))

    def minus(self, other: Interval) -> Interval:
        """Every difference between a value of this one and a value of the other."""
        return Interval(self.low - other.high, self.high - other.low)

    def moved(self, by: float) -> Interval:
        """All values, `by` seconds later."""
        return Interval(self.low + by, self.high + by)

    def widened(self, by: float) -> Interval:
        """Longer by `by` seconds at both ends."""
        return Interval(self.low - by, self.high + by)


def majority(intervals: Sequence[Interval]) -> Interval | None:
    """From the lowest to the highest value that more than half of the intervals hold; None if there is no such value.

    If more than half of them hold the truth, so does the result. Marzullo (1984) takes the best covered stretch alone,
    for which that is not so: a liar that overlaps the honest ones at one end makes that end the best covered.
    """
    needed = len(intervals) // 2 + 1
    # Ends sort behind beginnings of the same value: intervals that touch have that value in common.
    edges = sorted([(one.low, 0) for one in intervals] + [(one.high, 1) for one in intervals])
    depth, reached, left = 0, [], []
    for value, is_end in edges:
        if is_end:
            if depth == needed:
                left.append(value)
            depth -= 1
        else:
            depth += 1
            if depth == needed:
                reached.append(value)
    return Interval(reached[0], left[-1]) if reached else None
