"""The plain path of /now answers as Flask does, whatever the request."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings, strategies
from werkzeug.test import EnvironBuilder, run_wsgi_app

import sntp
from service import app as application
from service.app import HOST, create_app, is_plain
from service.clock import Moment
from service.timeserver import Monitor

PATHS = ["/now", "/now/", "/NOW", "/", "", "/health", "/nowhere", "//now"]
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "get", "BREW"]
QUERIES = ["", "format=json", "format=text", "tz=UTC", "tz=Asia/Tokyo", "format=", "_=1", "&"]
ACCEPTS = ["*/*", "application/json", "text/plain", "text/plain, */*;q=0.1", "*/*;q=0", "", "a"]
# Each of these could change what Flask answers.
HEADERS = {
    "Accept": strategies.sampled_from(ACCEPTS) | strategies.text(max_size=20),
    "Host": strategies.sampled_from(["", "a b", "user@x", "[::1", "x:y", "é", "a..b", "x." * 200])
    | strategies.from_regex(HOST, fullmatch=True)
    | strategies.from_regex(r"[a-zA-Z0-9.:-]{,80}", fullmatch=True),
    "Range": strategies.just("bytes=0-3"),
    "If-None-Match": strategies.just("*"),
    "If-Modified-Since": strategies.just("Sat, 28 Nov 2026 12:00:00 GMT"),
    "Content-Length": strategies.sampled_from(["0", "7", "x", "-1"]),
    "Content-Type": strategies.sampled_from(["application/json", "x", ""]),
    "Transfer-Encoding": strategies.just("chunked"),
    "Connection": strategies.sampled_from(["close", "upgrade"]),
    "Upgrade": strategies.just("websocket"),
    "Cookie": strategies.just("session=1"),
    "Accept-Encoding": strategies.just("gzip"),
    "X-HTTP-Method-Override": strategies.just("POST"),
    "X-Amzn-Trace-Id": strategies.just("Root=1-67891233-abcdef012345678912345678"),
}


class Service:
    """The application at one moment, with and without its plain path."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, offset: float = 0.0) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: 1_795_428_672_000_001_999)
        monitor = Monitor(
            "169.254.169.123",
            ask=lambda _host, _port: sntp.Answer(offset, 0.001),
            now=lambda: Moment(0.0, 0.0),
        )
        monitor.poll()
        self.app = create_app(monitor)
        self.monkeypatch = monkeypatch

    def answers(self, environ: dict[str, Any]) -> tuple[Any, Any]:
        """Return status, headers and body: as they are, and as Flask alone answers."""
        with self.monkeypatch.context() as patch:
            here = self.answer(environ)
            patch.setattr(application, "is_plain", lambda _environ: False)
            return here, self.answer(environ)

    def answer(self, environ: dict[str, Any]) -> Any:
        body, status, headers = run_wsgi_app(self.app.wsgi_app, environ, buffered=True)
        return status, sorted(headers), b"".join(body)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch)


def make_environ(
    path: str = "/now", method: str = "GET", query: str = "", **headers: str
) -> dict[str, Any]:
    """Return a request as a WSGI server passes it on."""
    environ = EnvironBuilder(method="GET").get_environ()
    environ |= {"PATH_INFO": path, "REQUEST_METHOD": method, "QUERY_STRING": query}
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
    return environ


def test_flask_answers_the_same_header_by_header(service: Service) -> None:
    taken = set()

    @settings(derandomize=True, database=None, deadline=None, max_examples=300)
    @given(
        strategies.sampled_from(["/now"] * 8 + PATHS),
        strategies.sampled_from(["GET"] * 8 + METHODS),
        strategies.sampled_from([""] * 8 + QUERIES),
        strategies.fixed_dictionaries({}, optional=HEADERS),
    )
    def compare(path: str, method: str, query: str, headers: dict[str, str]) -> None:
        environ = make_environ(path, method, query, **headers)
        taken.add(is_plain(environ))
        here, flask = service.answers(environ)
        assert here == flask

    compare()
    assert taken == {True, False}


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_a_plain_request_never_enters_flask(
    accept: str | None, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.app, "dispatch_request", lambda: 1 / 0)
    headers = {} if accept is None else {"Accept": accept}
    assert service.answer(make_environ(**headers))[0] == "200 OK"
    assert service.answer(make_environ(query="_=1", **headers))[0].startswith("500 ")


def test_a_false_clock_and_a_fault_are_flask_s_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    here, flask = Service(monkeypatch, offset=0.6).answers(make_environ())
    assert here == flask
    assert here[0] == "503 SERVICE UNAVAILABLE"
    broken = Service(monkeypatch)
    broken.app.extensions["monitor"].status = lambda: 1 / 0
    headers = {"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"}
    here, flask = broken.answers(make_environ(**headers))
    assert here == flask
    assert here[0] == "500 INTERNAL SERVER ERROR"
