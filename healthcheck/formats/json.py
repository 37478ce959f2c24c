"""One JSON object in one line, for programs; schema.json describes it."""

import json
from typing import Any

from healthcheck import __version__
from healthcheck.check import Result
from healthcheck.coverage import Coverage
from healthcheck.interval import Interval
from healthcheck.reading import Reference, Server
from healthcheck.timestamp import format_utc
from healthcheck.url import remove_credentials
from healthcheck.verdict import Instance


def render(result: Result) -> str:
    """Return the object. Numbers are in seconds; what is not known is null."""
    verdict, reading = result.verdict, result.reading
    is_assumed = reading.reference.is_own_clock
    offset = (
        _format_interval(verdict.worst.error) if verdict.worst else {"offset": None, "bound": None}
    )
    return json.dumps(
        {
            "status": verdict.status,
            "reason": verdict.reason,
            "detail": verdict.detail,
            **offset,
            "limit": result.limit,
            "proven": verdict.is_final and not is_assumed,
            "assumed": is_assumed and bool(verdict.instances),
            "samples": len(reading.samples),
            "coverage": _format_coverage(result.coverage),
            "instances": [_format_instance(instance) for instance in verdict.instances],
            "reference": {
                "kind": reading.reference.kind,
                "servers": [
                    _format_server(server, reading.reference)
                    for server in reading.reference.servers
                ],
            },
            "phases": {name: _round(took) for name, took in result.phases.items()},
            "checked_at": format_utc(result.checked_at),
            "url": remove_credentials(result.url),
            "version": __version__,
        }
    )


def _format_instance(instance: Instance) -> dict[str, Any]:
    return {
        "instance": instance.name,
        "version": instance.version,
        "zone": instance.zone,
        "samples": instance.samples,
        **_format_interval(instance.error),
    }


def _format_coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "seen": coverage.seen,
        "expected": coverage.expected,
        "connections": coverage.connections,
        "missed": _round(coverage.miss_probability),
        "complete": coverage.is_complete,
    }


def _format_server(server: Server, reference: Reference) -> dict[str, Any]:
    if server.offset is None:
        return {"server": server.name, "refused": server.trouble}
    outvoted = reference.is_outvoted(server)
    return {"server": server.name, **_format_interval(server.offset), "outvoted": outvoted}


def _format_interval(interval: Interval) -> dict[str, float]:
    return {"offset": _round(interval.middle), "bound": _round(interval.half_width)}


def _round(seconds: float) -> float:
    return round(seconds, 6)
