"""Checks again and again: when, against which reference, and when the state of the service changes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from healthcheck import reference
from healthcheck.reading import MAX_STEP, Reference, own_epoch
from healthcheck.verdict import Status

JITTER = 0.1  # of the interval, at most: many checkers must not ask at the same moment for ever
REFERENCE_AGE = (
    64.0  # seconds; NTP's own shortest interval that servers of others expect (RFC 5905's MINPOLL)
)


def ticks(every: float, stop: threading.Event, number: int | None = None) -> Iterator[None]:
    """Yield at once, and then every `every` seconds by the steady clock, `number` times; ends early when `stop` is set.

    A fixed rate: what a check takes, and its jitter, do not add up. A check that takes longer than the interval costs
    the turns that it missed; they are not made up for.
    """
    start = time.monotonic()
    turn = 0
    for done in count(1):
        yield
        if done == number:
            return
        turn = max(turn + 1, int((time.monotonic() - start) / every) + 1)
        due = start + every * (turn + JITTER * random.random())  # noqa: S311 - no secret
        if stop.wait(max(0.0, due - time.monotonic())):
            return


class SparingReference:
    """True time for check after check, while the servers are asked no more often than every REFERENCE_AGE seconds.

    A server that wants to be left alone (a kiss of death) is not asked again.
    """

    def __init__(
        self,
        servers: Sequence[str],
        measure: Callable[[Sequence[str], float], Reference] = reference.measure,
    ) -> None:
        self._servers = list(servers)
        self._measure = measure
        self._last: Reference | None = None

    def __call__(self, patience: float) -> Reference:
        """What was measured last, if it still holds; `patience` in seconds."""
        if self._last is None or not self._holds(self._last):
            self._last = self._measure(self._servers, patience)
            denied = {one.name for one in self._last.servers if one.denied}
            self._servers = [name for name in self._servers if name not in denied]
        return self._last

    @staticmethod
    def _holds(last: Reference) -> bool:
        # It is an offset to our own clock: when somebody sets that, it says nothing any more.
        own_clock_was_set = abs(own_epoch() - last.epoch) > MAX_STEP
        return time.perf_counter() - last.at < REFERENCE_AGE and not own_clock_was_set


class State:
    """What the service is taken to be: one lost packet is no incident.

    It begins as the first check finds it. Then `failures` checks in a row that are not OK make it Failed (Unknown, if
    none of them was Failed), and `successes` that are OK make it OK again.
    """

    def __init__(self, failures: int, successes: int) -> None:
        self.status: Status | None = None
        self._needed = {True: successes, False: failures}
        self._row: list[Status] = []

    def after(self, status: Status) -> bool:
        """Take note of a check's status; returns whether the state has changed with it."""
        fine = status == "OK"
        if self._row and (self._row[-1] == "OK") is not fine:
            self._row = []
        self._row = [*self._row, status][-self._needed[fine] :]
        worst: Status = "Failed" if "Failed" in self._row else status
        before = self.status
        if before is None or len(self._row) == self._needed[fine]:
            self.status = worst
        return before is not None and self.status != before
