"""Several hosts of the service in this process, behind a balancer that sends requests in turn."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING
from unittest.mock import patch

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

import sntp
from service.app import create_app
from service.timeserver import Monitor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ZONES = ("us-east-1a", "us-east-1b")


class TwoHosts:
    """A WSGI application.

    lost: dead hosts that the balancer has noticed. dying: dead hosts that it has not noticed.
    silent: no host responds. shift: seconds by which the first host's clock is wrong without
    knowing. chance: chooses the host at random, as with other clients. said: a response to /now
    that replaces the hosts'.
    """

    def __init__(self, zones: Sequence[str] = ZONES) -> None:
        self.url = ""
        self.turns = count()
        self.monitors = [
            Monitor("169.254.169.123", ask=lambda _host, _port: sntp.Answer(0.0, 0.001))
            for _ in zones
        ]
        self.hosts = [
            create_host(number, zone, monitor)
            for number, (zone, monitor) in enumerate(zip(zones, self.monitors, strict=True))
        ]
        self.heal()

    def heal(self) -> None:
        self.lost: set[int] = set()
        self.dying: set[int] = set()
        self.silent = False
        self.shift = 0.0
        self.chance: random.Random | None = None
        self.said: str | None = None
        # The paths of the requests since then.
        self.paths: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.paths.append(environ["PATH_INFO"])
        there = [number for number in range(len(self.hosts)) if number not in self.lost]
        turn = self.chance.choice(there) if self.chance else there[next(self.turns) % len(there)]
        if self.silent or turn in self.dying:
            return Response(status=HTTPStatus.BAD_GATEWAY)(environ, start_response)
        if self.said is not None and environ["PATH_INFO"] == "/now":
            return Response(self.said)(environ, start_response)
        if turn or not self.shift or environ["PATH_INFO"] == "/":
            return self.hosts[turn](environ, start_response)
        answer = Response.from_app(self.hosts[turn], Request(environ).environ)
        said = json.loads(answer.data)
        answer.data = json.dumps(said | {"epoch": said["epoch"] + self.shift})
        return answer(environ, start_response)


def create_host(number: int, zone: str, monitor: Monitor) -> WSGIApplication:
    names = {"INSTANCE": f"i-{number}", "ZONE": zone, "VERSION": "0a1b2c3d4e5f"}
    with patch.dict(os.environ, {f"TIMESERVICE_{name}": value for name, value in names.items()}):
        return create_app(monitor)


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Print no line for a request."""


@contextmanager
def two_hosts(zones: Sequence[str] = ZONES) -> Iterator[TwoHosts]:
    """Serve a host for each of these zones, on a free port."""
    hosts = TwoHosts(zones)
    for monitor in hosts.monitors:
        monitor.poll()
        monitor.start()
    server = make_server("127.0.0.1", 0, hosts, threaded=True, request_handler=Quiet)
    hosts.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        yield hosts
    finally:
        server.shutdown()
        server.server_close()
