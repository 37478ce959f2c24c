"""Whole checks of real web servers on this machine, whose clock is the reference; and what such servers may do."""

from __future__ import annotations

import itertools
import time

from healthcheck.check import Result, check
from healthcheck.clock import own_clocks, steady_time
from healthcheck.interval import Interval
from healthcheck.reading import Reference
from tests.support.healthcheck_servers import Behaviour, Request, rfc3339, tells, web

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def exact(patience: float) -> Reference:
    """Our own clock is the truth, as it is that of the servers too."""
    return Reference("ntp", Interval(0.0, 0.0), steady_time(), own_clocks())


def checked(behaviour: Behaviour, deadline: float = 5.0, limit: float = 1.0) -> Result:
    with web(behaviour) as server:
        return check(server.url + "/now", ask_reference=exact, limit=limit, deadline=deadline)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    turns = itertools.cycle(behaviours)
    return lambda request: next(turns)(request)


def states(content: object, status: int = 200, **headers: str) -> Behaviour:
    return lambda request: request.answer(content, status, **headers)


def ticks(step: float) -> Behaviour:
    """A right clock that moves on only every `step` seconds, and is written with six digits."""
    return lambda request: tells(-(time.time_ns() / 1e9 % step))(request)


def frozen(age: float = 0.0) -> Behaviour:
    return states({"now": rfc3339(-age), "instance": "i-1"})


def slowly(after: float) -> Behaviour:
    """The right time, read after a while."""

    def behave(request: Request) -> None:
        request.server.closing.wait(after)
        tells()(request)

    return behave


def without_an_answer(request: Request) -> None:
    request.close_connection = True
