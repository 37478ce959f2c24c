"""Services that are right or wrong in ways of their own, and what tools that people know say about them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import NamedTuple

from bench.tools import FAILED, OK, TOOLS
from tests.support.healthcheck_servers import Behaviour, Request, rfc3339, web

AT_A_TIME = 4


class Case(NamedTuple):
    """A service, and whether it is up with a clock within a second. own: the checker's clock minus true time."""

    name: str
    fine: bool
    behaviour: Callable[[], Behaviour]
    own: float = 0.0


class Said(NamedTuple):
    """What a tool said of a case, and whether that is so (None: it said neither)."""

    case: str
    tool: str
    word: str
    right: bool | None


def serves(
    error: float = 0.0, date: float = 0.0, status: int = 200, name: str = "i-1"
) -> Behaviour:
    """A service that is `error` seconds fast, with a `Date` header that is `date` seconds fast."""
    return lambda request: request.answer(
        {"now": rfc3339(error), "instance": name},
        status,
        Date=formatdate(time.time() + date, usegmt=True),
    )


def stands() -> Behaviour:
    """A clock that has stood for a second and a half."""
    stamp = rfc3339(-1.5)
    return lambda request: request.answer({"now": stamp, "instance": "i-1"})


def cached() -> Behaviour:
    """A cache that gives an answer of a minute ago."""
    stamp, date = rfc3339(-60), formatdate(time.time() - 60, usegmt=True)
    return lambda request: request.answer({"now": stamp, "instance": "i-1"}, Date=date, Age="60")


def in_turn() -> Behaviour:
    """Two hosts, of which the second is three seconds off."""
    hosts = itertools.cycle([serves(), serves(3.0, 3.0, name="i-2")])
    return lambda request: next(hosts)(request)


def slow(seconds: float) -> Behaviour:
    """A right clock, on a host that reads it and then takes so long to answer."""

    def behave(request: Request) -> None:
        content = {"now": rfc3339(), "instance": "i-1"}
        date = formatdate(usegmt=True)
        time.sleep(seconds)
        request.answer(content, Date=date)

    return behave


CASES = [
    Case("right", True, serves),
    Case("0.9 s slow", True, lambda: serves(-0.9, -0.9)),
    Case("1.1 s slow", False, lambda: serves(-1.1, -1.1)),
    Case("an hour fast", False, lambda: serves(3600, 3600)),
    Case("right, and the checker's own clock 5 s fast", True, lambda: serves(-5, -5), own=5.0),
    Case("5 s fast, and the checker's own clock too", False, serves, own=5.0),
    Case("right, and answers after 0.8 s", True, lambda: slow(0.8)),
    Case("right, and answers after 1.5 s", True, lambda: slow(1.5)),
    Case("stands still", False, stands),
    Case("an old answer from a cache", False, cached),
    Case("one of two hosts 3 s fast", False, in_turn),
    Case("5 s slow behind a proxy whose `Date` is right", False, lambda: serves(-5, 0)),
    Case("right behind a proxy whose `Date` is 5 s slow", True, lambda: serves(0, -5)),
    Case("down (503)", False, lambda: serves(status=503)),
]


def said(case: Case, tool: str) -> Said:
    with web(case.behaviour()) as service:
        word = TOOLS[tool](service.server_port, case.own)
    return Said(case.name, tool, word, (word == OK) is case.fine if word in (OK, FAILED) else None)


def compared(cases: list[Case] = CASES) -> Iterator[Said]:
    """What each tool says of each case."""
    pairs = list(itertools.product(cases, TOOLS))
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield from pool.map(lambda pair: said(*pair), pairs)
