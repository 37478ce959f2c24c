"""Other ways to read a service's clock, each a function from its port on this machine to its clock's error in seconds.

All of them believe the checker's own clock. Here it is right; where it is not, they are wrong by as much on top.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import re
import subprocess
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path as File
from typing import NamedTuple

from bench.network import HERE, network
from bench.paths import Path
from bench.trials import drawn, states
from healthcheck.timestamp import parse
from healthcheck.verdict import LIMIT
from tests.support.healthcheck_servers import web

ROOT = File(__file__).parent.parent
HTPDATE = ROOT / "build/debian/htpdate/usr/sbin/htpdate"
PATIENCE = 60.0  # seconds

Method = Callable[[int], float | None]


class Estimate(NamedTuple):
    """What a method took the service's error to be (None: it found nothing), and what it was; seconds."""

    method: str
    path: str
    seed: str
    error: float
    found: float | None

    @property
    def off(self) -> float | None:
        return None if self.found is None else self.found - self.error

    @property
    def misjudges(self) -> bool:
        """Whether a verdict by it would be wrong."""
        return self.found is not None and (abs(self.found) > LIMIT) != (abs(self.error) > LIMIT)


class Answer(NamedTuple):
    """date, stated: the header's time and the body's. sent, arrived: our clock. Seconds since 1970."""

    date: float
    stated: float
    sent: float
    arrived: float


def ask(port: int) -> Answer:
    """Once, on a new connection, as all the public answers to this exercise do."""
    connection = http.client.HTTPConnection(HERE, port, timeout=PATIENCE)
    sent = time.time()
    connection.request("GET", "/")
    answer = connection.getresponse()
    body = answer.read()
    arrived = time.time()
    connection.close()
    date = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    return Answer(date, parse(json.loads(body)["now"]).seconds, sent, arrived)


def date_header(port: int) -> float:
    """The `Date` header minus our clock when it is here."""
    answer = ask(port)
    return answer.date - answer.arrived


def midpoint(port: int) -> float:
    """The time stated minus the middle between our request and the answer: right if both ways took the same."""
    answer = ask(port)
    return answer.stated - (answer.sent + answer.arrived) / 2


def whole_seconds(port: int) -> float:
    """The time stated without its fraction, minus our clock when it is here."""
    answer = ask(port)
    return math.floor(answer.stated) - answer.arrived


def htpdate(port: int) -> float | None:
    """What htpdate finds when it may ask as often as it can; None if it finds nothing, or is not here."""
    command = [str(HTPDATE), "-q", "-d", "-t", "-p", "9", f"{HERE}:{port}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Not the amount by which it would set our clock: that is half of what it found, if it is small.
    found = re.search(r"^offset: (\S+)$", done.stdout, re.MULTILINE)
    return float(found[1]) if found else None


METHODS: dict[str, Method] = {
    "`Date` header": date_header,
    "midpoint": midpoint,
    "whole seconds": whole_seconds,
    "htpdate": htpdate,
}


def estimate(method: str, path: Path, seed: str) -> Estimate:
    """By one of METHODS, of the service that a trial with this seed has."""
    chance = random.Random(seed)
    error = drawn(path, chance).error
    with web(states(error)) as service, network(chance) as paths:
        found = METHODS[method](paths.tcp(path, service.server_port))
    return Estimate(method, path.name, seed, error, found)
