"""Says a result: one line for people, one object for programs. Pure."""

from __future__ import annotations

import json
from typing import Any

from healthcheck import __version__
from healthcheck.check import Result
from healthcheck.interval import Interval
from healthcheck.reading import Reference, Server
from healthcheck.target import without_credentials
from healthcheck.timestamp import utc


def text(result: Result) -> str:
    """One line, whose first word is the status."""
    return f"{result.verdict.status} {detail(result)}"


def detail(result: Result) -> str:
    """What was found out, in words."""
    verdict = result.verdict
    if not verdict.instances:
        return verdict.detail
    count = len(verdict.instances)
    return (
        f"{verdict.detail} on {count} instance{'s' * (count > 1)}, "
        f"limit {result.limit:g} s, against {_named(result.reading.reference)}"
    )


def _named(reference: Reference) -> str:
    match reference.kind:
        case "single":
            return "one NTP server"
        case "local":
            return "this machine's own clock, for want of an NTP server"
        case "chosen":
            return "this machine's own clock"
    answers = [one.offset for one in reference.servers if one.offset]
    agreed = sum(not offset.meet(reference.offset).empty for offset in answers)
    return f"{agreed} NTP servers" + (
        f" ({len(answers) - agreed} more contradict)" * (agreed < len(answers))
    )


def record(result: Result) -> str:
    """The same as JSON, in one line. Numbers are in seconds; null is what is not known."""
    verdict, reading, worst = result.verdict, result.reading, result.verdict.worst
    return json.dumps(
        {
            "status": verdict.status,
            "reason": verdict.reason,
            "detail": verdict.detail,
            "offset": _rounded(worst.error.middle) if worst else None,
            "bound": _rounded(worst.error.half_width) if worst else None,
            "limit": result.limit,
            "proven": verdict.proven,
            "samples": len(reading.samples),
            "instances": [
                {
                    "instance": one.name,
                    "version": one.version,
                    "samples": one.samples,
                    **_interval(one.error),
                }
                for one in verdict.instances
            ],
            "reference": {
                "kind": reading.reference.kind,
                "servers": [_server(one) for one in reading.reference.servers],
            },
            "phases": {name: _rounded(took) for name, took in result.phases.items()},
            "checked_at": utc(result.checked_at),
            "url": without_credentials(result.url),
            "version": __version__,
        }
    )


def _server(one: Server) -> dict[str, Any]:
    if one.offset is None:
        return {"server": one.name, "refused": one.trouble}
    return {"server": one.name, **_interval(one.offset)}


def _interval(interval: Interval) -> dict[str, float]:
    return {"offset": _rounded(interval.middle), "bound": _rounded(interval.half_width)}


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
