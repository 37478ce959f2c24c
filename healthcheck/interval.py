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
        """Return the distance from zero to the nearest value."""
        return max(self.low, -self.high, 0.0)

    @property
    def most(self) -> float:
        """Return the distance from zero to the farthest value."""
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
    """Return the span from the lowest to the highest value that most of the intervals hold.

    Most are more than half. Return None if most hold no common value. If more than half of the
    intervals hold the truth, so does the result. Marzullo (1984) takes only the values that most
    intervals hold. Those may miss the truth: a wrong interval that overlaps one end of the right
    ones makes that end the most covered.
    """
    needed = len(intervals) // 2 + 1

    def is_common(value: float) -> bool:
        return sum(interval.low <= value <= interval.high for interval in intervals) >= needed

    lows = [interval.low for interval in intervals if is_common(interval.low)]
    highs = [interval.high for interval in intervals if is_common(interval.high)]
    return Interval(min(lows), max(highs)) if lows else None
