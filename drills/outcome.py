"""What a drill found out, and what its requests say: nothing here asks or waits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from drills.load import Request

PAIR = 2  # hosts


class Seen(NamedTuple):
    """The hosts at one moment, as the balancer sees them. at: Unix seconds. states: instance -> state."""

    at: float
    states: dict[str, str]

    @property
    def healthy(self) -> int:
        return sum(state == "healthy" for state in self.states.values())


class Outcome(NamedTuple):
    """began, fault_at: Unix seconds; fault_at is None where a drill breaks nothing. broken: what did not hold; nothing,
    if the drill held. alarms: `NAME rang` or `NAME came back`, in their order. notes: what else there is to tell."""

    name: str
    what: str
    began: float
    seconds: float
    fault_at: float | None
    requests: Sequence[Request]
    seen: Sequence[Seen]
    alarms: Sequence[str]
    broken: Sequence[str]
    notes: Sequence[str]

    @property
    def held(self) -> bool:
        return not self.broken

    def summary(self) -> dict[str, Any]:
        """For JSON: everything but the single requests."""
        again = two_healthy(self.seen, self.fault_at)
        return {
            "drill": self.name,
            "what": self.what,
            "held": self.held,
            "broken": list(self.broken),
            "seconds": round(self.seconds, 1),
            "sent": len(self.requests),
            "failed": sum(one.failed for one in self.requests),
            "troubles": dict(Counter(trouble(one) for one in self.requests if one.failed)),
            "errors_ended_after": errors_ended(self.requests, self.fault_at),
            # Infinity is no JSON.
            "two_healthy_after": "never" if again == math.inf else again,
            "latency": {name: percentile(self.requests, at) for name, at in PERCENTILES.items()},
            "worst_wrong": round(max((one.wrong for one in self.requests), default=0.0), 3),
            "alarms": list(self.alarms),
            "notes": list(self.notes),
        }


PERCENTILES = {"p50": 0.5, "p99": 0.99, "worst": 1.0}


def trouble(request: Request) -> str:
    """Why a request failed, in a word or two."""
    return str(request.status) if request.status else request.trouble


def failures(requests: Sequence[Request]) -> list[Request]:
    return [one for one in requests if one.failed]


def errors_ended(requests: Sequence[Request], since: float | None) -> float | None:
    """Seconds from `since` until the last request that failed was due; None if there is no such."""
    late = [one.due - since for one in requests if since is not None and one.failed]
    return round(max(0.0, *late), 1) if late else None


def two_healthy(seen: Sequence[Seen], since: float | None) -> float | None:
    """Seconds from `since` until there were two healthy hosts for good: infinite if never, None if they were there all
    the time."""
    short = [one.at for one in seen if since is not None and one.at >= since and one.healthy < PAIR]
    if not short or since is None:
        return None
    again = [one.at for one in seen if one.at > short[-1]]
    return round(again[0] - since, 1) if again else math.inf


def longest_short(seen: Sequence[Seen]) -> float:
    """The longest time in seconds during which there were fewer than two healthy hosts."""
    longest, began = 0.0, None
    for one in seen:
        if one.healthy >= PAIR:
            began = None
        elif began is None:
            began = one.at
        if began is not None:
            longest = max(longest, one.at - began)
    return longest


def percentile(requests: Sequence[Request], share: float) -> float | None:
    """That percentile of the latencies of answered requests, in seconds."""
    latencies = sorted(one.latency for one in requests if one.status)
    if not latencies:
        return None
    return round(latencies[min(len(latencies) - 1, int(share * len(latencies)))], 4)


def between(requests: Sequence[Request], start: float, end: float) -> list[Request]:
    """The requests that were due in that time, in Unix seconds."""
    return [one for one in requests if start <= one.due < end]


def table(summaries: Sequence[dict[str, Any]]) -> str:
    """In Markdown, from what `summary` says of each drill."""
    rows = [
        "| drill | what happens | sent | failed | errors ended after | two healthy hosts after | worst latency | alarms | verdict |",  # noqa: E501
        "|---|---|--:|--:|--:|--:|--:|---|---|",
    ]
    for told in summaries:
        cells = [
            told["drill"],
            told["what"],
            f"{told['sent']:,}",
            f"{told['failed']:,}",
            _seconds(told["errors_ended_after"], "no errors"),
            _seconds(told["two_healthy_after"], "there all the time"),
            _seconds(told["latency"]["worst"], ""),
            "; ".join(told["alarms"]) or "silent",
            "held" if told["held"] else "**failed**",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _seconds(value: float | str | None, none: str) -> str:
    if value is None:
        return none
    if isinstance(value, str):
        return value
    return f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.1f} s"
