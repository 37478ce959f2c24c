"""Checks again and again: when, against which reference, and when the state of the service changes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from healthcheck import reference
from healthcheck.clock import own, steady
from healthcheck.reading import Reference
from healthcheck.verdict import Status
from healthcheck.waiting import Bell

JITTER = 0.1  # of the interval, at most: many checkers must not ask at the same moment for ever
# Seconds; NTP's own shortest interval that servers of others expect (RFC 5905's MINPOLL).
REFERENCE_AGE = 64.0
POOL_AGE = (
    1800.0  # seconds; what pool.ntp.org, whose servers are volunteers', asks of simple clients
)


def ticks(every: float, stop: Bell, number: int | None = None) -> Iterator[None]:
    """Yield at once, and then every `every` seconds by the steady clock, `number` times; ends early when `stop` rings.

    A fixed rate: what a check takes, and its jitter, do not add up. A check that takes longer than the interval costs
    the turns that it missed; they are not made up for.
    """
    start = steady()
    turn = 0
    for done in count(1):
        yield
        if done == number:
            return
        turn = max(turn + 1, int((steady() - start) / every) + 1)
        due = start + every * (turn + JITTER * random.random())
        if stop.heard(max(0.0, due - steady())) or stop.rung:
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
        last = self._last
        if last is None or steady() - last.at >= self._age or not last.own.was_awake_until(own()):
            self._last = last = self._measure(self._servers, patience)
            denied = {one.name for one in last.servers if one.denied}
            self._servers = [name for name in self._servers if name not in denied]
        # Our own clock is read again, as it may have been set meanwhile.
        return reference.own_clock("local", last.servers) if last.is_own_clock else last

    @property
    def _age(self) -> float:
        return POOL_AGE if any("pool.ntp.org" in name for name in self._servers) else REFERENCE_AGE


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
