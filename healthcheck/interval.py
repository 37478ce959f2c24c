"""Intervals of seconds, and the majority of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """All values from `low` to `high`, both included, in seconds; empty if `low` is larger."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def is_empty(self) -> bool:
        return self.low > self.high

    @property
    def least(self) -> float:
        """The distance from zero to the nearest value."""
        return max(self.low, -self.high, 0.0)

    @property
    def most(self) -> float:
        """The distance from zero to the farthest value."""
        return max(-self.low, self.high)

    def meet(self, other: Interval) -> Interval:
        """Return the values that are in both."""
        return Interval(max(self.low, other.low), min(self.high, other.high))

    def minus(self, other: Interval) -> Interval:
        """Return every difference between a value of this interval and one of the other."""
        return Interval(self.low - other.high, self.high - other.low)

    def shift(self, by: float) -> Interval:
        """Return the interval with `by` added to both ends."""
        return Interval(self.low + by, self.high + by)

    def widen(self, by: float) -> Interval:
        """Return the interval that reaches `by` farther at both ends."""
        return Interval(self.low - by, self.high + by)


def majority(intervals: Sequence[Interval]) -> Interval | None:
    """Return the span from the lowest to the highest value that more than half of them hold.

    Return None if no value is in more than half. If more than half of the intervals hold the truth,
    so does the result. Marzullo (1984) takes the best covered stretch alone, for which that is not
    so: a liar that overlaps the honest ones at one end makes that end the best covered.
    """
    needed = len(intervals) // 2 + 1
    # Ends sort behind beginnings of the same value: two intervals that touch share that value.
    beginnings = [(interval.low, 0) for interval in intervals]
    ends = [(interval.high, 1) for interval in intervals]
    depth, reached, left = 0, [], []
    for value, is_end in sorted(beginnings + ends):
        if is_end:
            if depth == needed:
                left.append(value)
            depth -= 1
        else:
            depth += 1
            if depth == needed:
                reached.append(value)
    return Interval(reached[0], left[-1]) if reached else None
