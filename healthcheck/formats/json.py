"""One JSON object in one line, for programs; schema.json describes it."""

import json
from typing import Any

from healthcheck import __version__
from healthcheck.check import Result
from healthcheck.interval import Interval
from healthcheck.reading import Server
from healthcheck.timestamp import format_utc
from healthcheck.url import remove_credentials
from healthcheck.verdict import Instance


def render(result: Result) -> str:
    """Return the object. Numbers are in seconds; what is not known is null."""
    verdict, reading = result.verdict, result.reading
    offset = _interval(verdict.worst.error) if verdict.worst else {"offset": None, "bound": None}
    return json.dumps(
        {
            "status": verdict.status,
            "reason": verdict.reason,
            "detail": verdict.detail,
            **offset,
            "limit": result.limit,
            "proven": verdict.proven,
            "samples": len(reading.samples),
            "instances": [_instance(instance) for instance in verdict.instances],
            "reference": {
                "kind": reading.reference.kind,
                "servers": [_server(server) for server in reading.reference.servers],
            },
            "phases": {name: _round(took) for name, took in result.phases.items()},
            "checked_at": format_utc(result.checked_at),
            "url": remove_credentials(result.url),
            "version": __version__,
        }
    )


def _instance(instance: Instance) -> dict[str, Any]:
    return {
        "instance": instance.name,
        "version": instance.version,
        "samples": instance.samples,
        **_interval(instance.error),
    }


def _server(server: Server) -> dict[str, Any]:
    if server.offset is None:
        return {"server": server.name, "refused": server.trouble}
    return {"server": server.name, **_interval(server.offset)}


def _interval(interval: Interval) -> dict[str, float]:
    return {"offset": _round(interval.middle), "bound": _round(interval.half_width)}


def _round(seconds: float) -> float:
    return round(seconds, 6)
