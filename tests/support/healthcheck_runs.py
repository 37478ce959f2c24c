"""Checks of web servers on this machine, whose clock is the reference, and their behaviours."""

from __future__ import annotations

import itertools
import time

import pytest

from healthcheck import arguments, reference
from healthcheck.check import Result, check
from healthcheck.clock import read_clocks, steady_time
from healthcheck.interval import Interval
from healthcheck.reading import Reference
from tests.support.healthcheck_servers import Behaviour, Request, rfc3339, time_service, web
from tests.support.waiting import PATIENCE

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def be_patient(monkeypatch: pytest.MonkeyPatch, for_servers: float = PATIENCE) -> None:
    """Give checks and NTP servers more time than a busy machine takes, unless a test sets it."""
    monkeypatch.setattr(reference, "TIMEOUT", for_servers)
    monkeypatch.setattr(arguments, "DEADLINE", PATIENCE)
    assert check.__kwdefaults__
    monkeypatch.setitem(check.__kwdefaults__, "deadline", PATIENCE)


def exact_reference(patience: float) -> Reference:
    """Our own clock is exact as a reference, because the servers use it too."""
    return Reference("ntp", Interval(0.0, 0.0), steady_time(), read_clocks())


def check_server(behaviour: Behaviour, deadline: float = PATIENCE, limit: float = 1.0) -> Result:
    with web(behaviour) as server:
        return check(
            server.url + "/now", ask_reference=exact_reference, limit=limit, deadline=deadline
        )


def alternate(*behaviours: Behaviour) -> Behaviour:
    turns = itertools.cycle(behaviours)
    return lambda request: next(turns)(request)


def respond(content: object, status: int = 200, **headers: str) -> Behaviour:
    return lambda request: request.answer(content, status, **headers)


def coarse_clock(step: float) -> Behaviour:
    """A right clock that moves on only every `step` seconds, and is written with six digits."""
    return lambda request: time_service(-(time.time_ns() / 1e9 % step))(request)


def frozen_clock(age: float = 0.0) -> Behaviour:
    return respond({"now": rfc3339(-age), "instance": "i-1"})


def slow_clock(after: float) -> Behaviour:
    """The right time, read after a while."""

    def behave(request: Request) -> None:
        request.server.closing.wait(after)
        time_service()(request)

    return behave


def is_inside(error: float, interval: Interval) -> bool:
    """Return whether the interval holds the error, which a server wrote with six digits."""
    return interval.low - 1e-5 <= error <= interval.high + 1e-5


def widest_bound(phases: dict[str, float]) -> float:
    """Return the bound of the first sample alone, if each phase were a single request."""
    return (phases["first_answer"] + phases["reference"]) / 2 + 0.01


def hang_up(request: Request) -> None:
    request.close_connection = True
