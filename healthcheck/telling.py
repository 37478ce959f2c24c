"""Says a result: one line for people, one object for programs. Pure."""

from __future__ import annotations

import json
from urllib.parse import urlsplit, urlunsplit

from healthcheck import __version__
from healthcheck.check import Result
from healthcheck.interval import Interval
from healthcheck.timestamp import utc

AGAINST = {
    "single": "one NTP server",
    "local": "this machine's own clock, as no NTP server answered",
    "chosen": "this machine's own clock",
    "disagree": "NTP servers that contradict each other",
}


def text(result: Result) -> str:
    """One line, whose first word is the status."""
    verdict = result.verdict
    if not verdict.instances:
        return f"{verdict.status} {verdict.detail}"
    count = len(verdict.instances)
    answered = sum(server.offset is not None for server in result.reference.servers)
    against = AGAINST.get(result.reference.kind, f"{answered} NTP servers")
    return (
        f"{verdict.status} {verdict.detail} on {count} instance{'s' * (count > 1)}, "
        f"limit {result.limit:g} s, against {against}"
    )


def record(result: Result) -> str:
    """The same as JSON, in one line. Numbers are in seconds; null is what is not known."""
    verdict, worst = result.verdict, result.verdict.worst
    return json.dumps(
        {
            "status": verdict.status,
            "reason": verdict.reason,
            "detail": verdict.detail,
            "offset": _rounded(worst.error.middle) if worst else None,
            "bound": _rounded(worst.error.half_width) if worst else None,
            "limit": result.limit,
            "proven": verdict.proven,
            "samples": result.samples,
            "instances": [
                {"instance": one.name, "samples": one.samples, **_interval(one.error)}
                for one in verdict.instances
            ],
            "reference": {
                "kind": result.reference.kind,
                "servers": [
                    {"server": one.name, **_interval(one.offset)}
                    if one.offset
                    else {"server": one.name, "refused": one.trouble}
                    for one in result.reference.servers
                ],
            },
            "phases": {name: _rounded(took) for name, took in result.phases.items()},
            "checked_at": utc(result.checked_at),
            "url": without_credentials(result.url),
            "version": __version__,
        }
    )


def _interval(interval: Interval) -> dict[str, float]:
    return {"offset": _rounded(interval.middle), "bound": _rounded(interval.half_width)}


def _rounded(seconds: float) -> float:
    return round(seconds, 6)


def without_credentials(url: str) -> str:
    """The URL as it may be printed."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
