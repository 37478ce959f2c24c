"""Checks of servers that break rules, hang or are absent: each ends in time, with its reason."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from healthcheck import check as checking
from healthcheck.check import check
from healthcheck.dialer import Dialer
from tests.support.healthcheck_runs import (
    CHUNKED,
    check_server,
    exact_reference,
    respond,
    slow_clock,
)
from tests.support.healthcheck_servers import Behaviour, Request, rfc3339, time_service, web
from tests.support.waiting import PATIENCE


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "RETRY_AFTER", 0.01)


def drip_body(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    request.drip(b" ")


def drip_until_closed(request: Request) -> None:
    request.close_connection = True
    request.send_response(200)
    request.send_header("Connection", "close")
    request.end_headers()
    request.drip(b" ")


def endless(head: bytes) -> Behaviour:
    """A response that begins with this, and never ends."""

    def behave(request: Request) -> None:
        request.wfile.write(head)
        while not request.server.closing.is_set():
            request.wfile.write(b"x" * 65_536)

    return behave


def raw(data: bytes) -> Behaviour:
    def behave(request: Request) -> None:
        request.close_connection = True
        request.wfile.write(data)

    return behave


GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n"
MALFORMED: dict[str, tuple[Behaviour, str]] = {
    "redirect without end": (
        endless(b"HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 99999999999\r\n\r\n"),
        "redirect",
    ),
    "redirect to no URL": (respond(b"", 302, Location="http://[::1"), "redirect"),
    "redirect to no text": (
        raw(b"HTTP/1.1 302 F\r\nLocation: /\xff\xfe\r\nContent-Length: 0\r\n\r\n"),
        "redirect",
    ),
    "more headers than anybody reads": (
        raw(b"HTTP/1.1 200 OK\r\n" + (b"Content-Encoding: " + b"gzip," * 12_000 + b"\r\n") * 20),
        "body",
    ),
    "not what it says it is compressed with": (raw(GZIP + b"x" * 20), "body"),
    "a chunk of all the rest": (endless(CHUNKED + b"-1\r\n"), "unreachable"),
    "a chunk of less than nothing": (raw(CHUNKED + b"-5\r\nabc"), "unreachable"),
    "a chunk of no number": (raw(CHUNKED + b"many\r\nabc"), "unreachable"),
}


@pytest.mark.parametrize(("behaviour", "reason"), MALFORMED.values(), ids=list(MALFORMED))
def test_what_is_malformed_fails_at_once_and_fills_no_memory(
    behaviour: Behaviour, reason: str
) -> None:
    tracemalloc.start()
    before = time.process_time()
    try:
        result = check_server(behaviour)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (result.verdict.status, result.verdict.reason) == ("Failed", reason)
    assert result.phases["total"] < PATIENCE / 2
    # Seconds of CPU time, which other processes do not prolong.
    assert time.process_time() - before < 2
    assert peak < 20e6


def test_a_cookie_is_not_even_read(capfd: pytest.CaptureFixture[str]) -> None:
    """Python's own parser fails, with a traceback, on a year of 5,000 digits."""
    cookie = "a=b; expires=01 Jan " + "9" * 5000
    headers: Any = {"Set-Cookie": cookie}
    result = check_server(lambda request: request.answer({"now": rfc3339()}, **headers))
    assert result.verdict.status == "OK"
    assert capfd.readouterr().err == ""


LATE: dict[str, Behaviour] = {
    "no answer": slow_clock(60),
    "dripping status line": lambda request: request.drip(b"HTTP/1.1 200 " + b"O" * 60_000),
    "dripping headers": lambda request: request.drip(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000),
    "endless interim answers": lambda request: request.drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "dripping body": drip_body,
    "dripping body without a length": drip_until_closed,
}


@pytest.mark.parametrize("behaviour", LATE.values(), ids=list(LATE))
def test_the_deadline_holds_and_nothing_is_left_behind(behaviour: Behaviour) -> None:
    before = set(threading.enumerate())
    start = time.perf_counter()
    with web(behaviour) as server:
        # A limit that cannot be proven, so that only the deadline ends it.
        result = check(server.url, ask_reference=exact_reference, limit=1e-6, deadline=0.6)
        took = time.perf_counter() - start
        ours = [
            thread for thread in set(threading.enumerate()) - before if "measure" in thread.name
        ]
        for thread in ours:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in ours)
    assert (result.verdict.status, result.verdict.reason) == ("Failed", "timeout")
    assert 0.5 < took < 30


def test_a_slow_service_is_not_asked_until_it_looks_dead(
    spend: Callable[[float], float],
) -> None:
    def behave(request: Request) -> None:
        time_service(spend(0.35 * PATIENCE))(request)

    with web(behave) as server:
        result = check(server.url, ask_reference=exact_reference, limit=1e-6)
        assert len(server.requests) == 2
    assert result.verdict.reason == "undetermined"


def test_an_endless_body_ends_at_the_cap() -> None:
    def endless(request: Request) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        while not request.server.closing.is_set():
            request.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    result = check_server(endless)
    assert result.verdict.reason == "body"


def test_a_name_lookup_that_hangs_does_not_hold_up_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released, before = threading.Event(), set(threading.enumerate())

    def hang(*_: object, **__: object) -> None:
        released.wait()
        raise socket.gaierror("at last")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    start = time.perf_counter()
    result = check("http://service.test/now", ask_reference=exact_reference, deadline=0.3)
    assert (result.verdict.status, result.verdict.reason) == ("Failed", "timeout")
    assert time.perf_counter() - start < 30
    left = set(threading.enumerate()) - before
    released.set()
    # The thread that is left behind does not keep the process from ending.
    assert all(thread.daemon for thread in left)


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    verdict = check("http://service.test/now", ask_reference=exact_reference).verdict
    assert (verdict.status, verdict.reason) == ("Failed", "dns")


def test_a_closed_port_is_refused_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts, connect = [], Dialer.connect

    def count(*arguments: Any) -> socket.socket:
        attempts.append(arguments)
        return connect(*arguments)

    monkeypatch.setattr(Dialer, "connect", count)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert check(url, ask_reference=exact_reference).verdict.reason == "refused"
    assert len(attempts) == 2


def test_a_server_without_tls_asked_for_tls() -> None:
    with web(time_service()) as server:
        verdict = check(server.url.replace("http", "https"), ask_reference=exact_reference).verdict
    assert (verdict.status, verdict.reason) == ("Failed", "tls")
