"""The checker's own clocks.

What is measured is measured on the steady clock, which nobody sets and no NTP daemon slews (chrony slews the wall
clock, and CLOCK_MONOTONIC with it, by up to 8 %). The wall clock may be wrong, or be set in the middle of a check: it
serves to name moments to people, and is believed only if it is asked to be the reference.
"""

from __future__ import annotations

import time
from typing import NamedTuple

RAW = getattr(time, "CLOCK_MONOTONIC_RAW", None)  # not on Windows
# Seconds. What two clocks move against each other by more than this, one of them was set by, or the machine slept; less
# may be a thread that is interrupted between reading one and the other.
MAX_STEP = 0.02
MIN_SLEEP = 0.1


class Own(NamedTuple):
    """What can happen to our clocks.

    epoch: when the steady clock stood at zero, by the wall clock (seconds since 1970); it moves when that is set.
    slept: how long this machine was suspended since it was booted (seconds), as the steady clock leaves that out.
    """

    epoch: float
    slept: float

    def was_awake_until(self, later: Own) -> bool:
        """Whether the two can be measured against each other: no time is missing in between."""
        return abs(later.slept - self.slept) <= MIN_SLEEP

    def was_not_set_until(self, later: Own) -> bool:
        """Whether the wall clock is the same at both."""
        return abs(later.epoch - self.epoch) <= MAX_STEP


def own() -> Own:
    """As it is now."""
    return Own(_epoch(), _slept())


def steady() -> float:
    """Seconds since some moment."""
    return time.perf_counter() if RAW is None else time.clock_gettime(RAW)


def _epoch() -> float:
    # An interruption between the two makes the difference smaller; it will not come three times.
    return max(time.time() - steady() for _ in range(3))


def _slept() -> float:
    if not hasattr(time, "CLOCK_BOOTTIME"):  # not Linux: there the steady clock goes on
        return 0.0
    # As above.
    return max(
        time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
        for _ in range(3)
    )
