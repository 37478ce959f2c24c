"""The checker's own clocks.

Durations are measured on the steady clock, which nobody sets and no NTP daemon slews. (chrony slews
the wall clock, and CLOCK_MONOTONIC with it, by up to 8 %.) The wall clock may be wrong, or be set
during a check. It dates results for people, and is the reference only by the user's choice, or
without NTP.
"""

from __future__ import annotations

import time
from typing import NamedTuple

# Windows does not have it.
RAW = getattr(time, "CLOCK_MONOTONIC_RAW", None)
# Seconds. If two clocks move against each other by more, one was set, or the machine slept. A
# smaller movement may come from a thread that was interrupted between its two readings.
MAX_STEP = 0.02
MIN_SLEEP = 0.1


class OwnClocks(NamedTuple):
    """The state of the checker's clocks at one moment.

    epoch: wall clock time at which the steady clock was zero (seconds since 1970); it moves when
    the wall clock is set. slept: how long the machine was suspended since it booted (seconds),
    which the steady clock does not count.
    """

    epoch: float
    slept: float

    def has_stayed_awake_until(self, later: OwnClocks) -> bool:
        """Return whether the steady clock counted all the time up to `later`."""
        return abs(later.slept - self.slept) <= MIN_SLEEP

    def has_kept_epoch_until(self, later: OwnClocks) -> bool:
        """Return whether the wall clock was not set before `later`."""
        return abs(later.epoch - self.epoch) <= MAX_STEP


def steady_time() -> float:
    """Return the seconds since some fixed moment, by the steady clock."""
    return time.perf_counter() if RAW is None else time.clock_gettime(RAW)


def read_clocks() -> OwnClocks:
    """Return the state of the checker's clocks now."""
    # An interruption between two readings makes their difference smaller, so the largest of three
    # differences is the best.
    epoch = max(time.time() - steady_time() for _ in range(3))
    # Only Linux has this clock. Elsewhere the steady clock goes on while the machine sleeps.
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return OwnClocks(epoch, 0.0)
    slept = max(
        time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
        for _ in range(3)
    )
    return OwnClocks(epoch, slept)


def time_since_boot() -> float:
    """Return the seconds since some fixed moment, with those that the machine slept."""
    return steady_time() + read_clocks().slept
