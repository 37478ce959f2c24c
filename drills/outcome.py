"""The measurements of a drill, and its expectations. This module sends nothing and never waits."""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from drills.load import Request
from healthcheck.verdict import LIMIT

# Hosts that serve a deployment.
PAIR = 2


class Look(NamedTuple):
    """The number of hosts that the balancer sees healthy at a moment, in Unix seconds."""

    at: float
    healthy: int


@dataclass(kw_only=True)
class Outcome:
    """The measurements of a drill, and its expectations that do not hold.

    what: the fault, in words. patience: by which all time limits are multiplied. fault_at: when the
    fault began; before that, when the drill began (Unix seconds). alarms: those that fired. broken:
    the expectations that do not hold.
    """

    name: str
    what: str
    patience: float = 1.0
    fault_at: float = field(default_factory=time.time)
    requests: list[Request] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    alarms: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.broken

    def expect(self, holds: bool, what: str) -> None:
        """Record an expectation as broken unless it holds."""
        if not holds:
            self.broken.append(what)

    def expect_no_failure(self) -> None:
        failed = failures(self.requests)
        if failed:
            self.broken.append(f"no request fails ({len(failed)} did: {reason(failed[0])})")

    def expect_errors_end(self, seconds: float) -> None:
        ended = get_duration_of_errors(self.requests, self.fault_at)
        in_time = ended is None or ended <= seconds * self.patience
        self.expect(in_time, f"errors end within {seconds:.0f} s (after {ended} s)")

    def expect_right_time(self) -> None:
        worst = worst_error(self.requests)
        self.expect(worst <= LIMIT, f"no response is more than 1 s wrong ({worst:.2f} s)")

    def expect_never_short(self) -> None:
        enough = all(look.healthy >= PAIR for look in self.looks)
        self.expect(enough, "two hosts are healthy all the time")


def reason(request: Request) -> str:
    """Return why a request failed, in a word or two."""
    return str(request.status) if request.status else request.trouble


def failures(requests: Sequence[Request]) -> list[Request]:
    return [request for request in requests if request.has_failed]


def worst_error(requests: Sequence[Request]) -> float:
    """Return the largest error in seconds of a time in a response."""
    return max((request.wrong for request in requests), default=0.0)


def get_duration_of_errors(requests: Sequence[Request], since: float) -> float | None:
    """Return the seconds from `since` until the last failed request was due; None without one."""
    failed = failures(requests)
    if not failed:
        return None
    return round(max(0.0, *(request.due - since for request in failed)), 1)


def two_healthy(looks: Sequence[Look], since: float) -> float | None:
    """Return the seconds from `since` until two hosts were healthy and stayed so.

    Infinite if they never were, None if they always were.
    """
    short = [look.at for look in looks if look.at >= since and look.healthy < PAIR]
    if not short:
        return None
    again = [look.at for look in looks if look.at > short[-1]]
    return round(again[0] - since, 1) if again else math.inf


def get_latencies(requests: Sequence[Request]) -> list[float]:
    """Return the latencies in seconds of the requests that had a response."""
    return [request.latency for request in requests if request.status]


def get_percentile(requests: Sequence[Request], percent: int) -> float:
    """Return a percentile of the latencies in seconds; infinite without two responses."""
    latencies = get_latencies(requests)
    return statistics.quantiles(latencies, n=100)[percent - 1] if len(latencies) > 1 else math.inf


def between(requests: Sequence[Request], start: float, end: float) -> list[Request]:
    """Return the requests that were due from `start` until before `end`, in Unix seconds."""
    return [request for request in requests if start <= request.due < end]


HEAD = """\
| drill | what happens | sent | failed | errors ended after | two healthy hosts after \
| worst latency | alarms | verdict |
|---|---|--:|--:|--:|--:|--:|---|---|"""


def format_row(outcome: Outcome) -> str:
    """Return the row of a drill in the table in Markdown that HEAD begins."""
    requests, since = outcome.requests, outcome.fault_at
    cells = [
        outcome.name,
        outcome.what,
        f"{len(requests):,}",
        f"{len(failures(requests)):,}",
        _format_seconds(get_duration_of_errors(requests, since), "no errors"),
        _format_seconds(two_healthy(outcome.looks, since), "there all the time"),
        _format_seconds(max(get_latencies(requests), default=None), ""),
        ", ".join(sorted(outcome.alarms)) or "none",
        "held" if outcome.holds else "**failed**",
    ]
    return f"| {' | '.join(cells)} |"


def _format_seconds(value: float | None, none: str) -> str:
    if value is None:
        return none
    if value == math.inf:
        return "never"
    return f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.1f} s"
