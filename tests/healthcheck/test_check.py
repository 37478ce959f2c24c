"""Whole checks: the verdict on each server, also while our own clock is set."""

from __future__ import annotations

import functools
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Literal

import pytest

from healthcheck import check as checking
from healthcheck import samples
from healthcheck.check import check
from healthcheck.clock import steady_time
from healthcheck.dialer import Dialer
from healthcheck.reading import Reference, Trouble
from healthcheck.reference import measure, use_own_clock
from tests.support.healthcheck_runs import (
    CHUNKED,
    alternate,
    check_server,
    coarse_clock,
    exact_reference,
    frozen_clock,
    hang_up,
    is_inside,
    respond,
    slow_clock,
    widest_bound,
)
from tests.support.healthcheck_servers import Behaviour, Request, ntp, rfc3339, time_service, web
from tests.support.waiting import PATIENCE, wait_until


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "RETRY_AFTER", 0.01)


def not_http(request: Request) -> None:
    request.wfile.write(b"220 ftp\r\n")


def seconds_for_milliseconds(request: Request) -> None:
    time_service(-time.time_ns() / 1e9 * 0.999)(request)


SERVERS: dict[str, tuple[Behaviour, str, str]] = {
    "right": (time_service(), "OK", "ok"),
    "0.9 s fast": (time_service(0.9), "OK", "ok"),
    "2 s fast": (time_service(2.0), "Failed", "clock_off"),
    "2 s slow": (time_service(-2.0), "Failed", "clock_off"),
    "at the limit": (time_service(1.0), "Failed", "undetermined"),
    "an hour fast": (time_service(3600), "Failed", "clock_off"),
    "whole seconds of another year": (
        respond({"now": "2000-01-01T00:00:00+02:00"}),
        "Failed",
        "clock_off",
    ),
    "frozen": (frozen_clock(), "Failed", "frozen"),
    "frozen for an hour": (frozen_clock(3600), "Failed", "frozen"),
    "ticks every 16 ms": (coarse_clock(1 / 64), "OK", "ok"),
    "ticks every 40 ms": (coarse_clock(0.04), "OK", "ok"),
    "whole seconds with six digits": (
        lambda request: request.answer({"now": rfc3339()[:19] + ".000000Z", "instance": "i-1"}),
        "OK",
        "ok",
    ),
    "a leap second that lasts": (
        lambda request: request.answer({"now": "2026-06-30T23:59:60" + rfc3339()[19:]}),
        "Failed",
        "clock_off",
    ),
    "jumping": (alternate(time_service(), time_service(-0.5)), "Failed", "inconsistent"),
    "two instances": (alternate(time_service(0.1, "a"), time_service(-0.1, "b")), "OK", "ok"),
    "two instances with long names": (
        alternate(time_service(0.4, "i" * 90 + "a"), time_service(-0.4, "i" * 90 + "b")),
        "OK",
        "ok",
    ),
    "long names, one wrong": (
        alternate(time_service(0.0, "東" * 30 + "a"), time_service(1.2, "東" * 30 + "b")),
        "Failed",
        "clock_off",
    ),
    "one of two wrong": (
        alternate(time_service(0, "a"), time_service(3, "b")),
        "Failed",
        "clock_off",
    ),
    "cached": (respond({"now": rfc3339()}, Age="7"), "Failed", "cached"),
    "of no age": (lambda request: request.answer({"now": rfc3339()}, Age="0"), "OK", "ok"),
    "ten digits": (lambda request: request.answer({"now": rfc3339(zone="1234Z")}), "OK", "ok"),
    "redirect": (respond(b"", 302, Location="/elsewhere"), "Failed", "redirect"),
    "error": (respond({"now": rfc3339()}, 500), "Failed", "status"),
    "code of its own": (respond({"now": rfc3339()}, 599), "Failed", "status"),
    "not JSON": (respond(b"<html>"), "Failed", "body"),
    "nested to death": (respond(b"[" * 60_000), "Failed", "body"),
    "not an object": (respond(["now"]), "Failed", "body"),
    "no time in it": (respond({"time": "12:00"}), "Failed", "body"),
    "a number": (respond({"now": 1_795_342_272_000}), "Failed", "body"),
    "naive": (respond({"now": "2026-11-22T10:11:12.123456"}), "Failed", "body"),
    "too long": (respond(b" " * 70_000 + b"{}"), "Failed", "body"),
    "100 MB": (respond(b"x" * 100_000_000), "Failed", "body"),
    "hangs up": (hang_up, "Failed", "unreachable"),
    "not HTTP": (not_http, "Failed", "unreachable"),
    "hangs up once": (
        alternate(hang_up, *[time_service()] * 999),
        "OK",
        "ok",
    ),
}


@pytest.mark.parametrize(("behaviour", "status", "reason"), SERVERS.values(), ids=list(SERVERS))
def test_a_server_gets_its_verdict(behaviour: Behaviour, status: str, reason: str) -> None:
    for _ in range(5):
        verdict = check_server(behaviour).verdict
        # A machine that stalls for seconds leaves the verdict open, and the next check may not.
        if verdict.reason != "undetermined":
            break
    assert (verdict.status, verdict.reason) == (status, reason), verdict.detail


@pytest.mark.parametrize(
    ("content", "status", "headers", "detail"),
    [
        ({}, 503, {}, "status 503"),
        ({"error": {"message": "i-1 has no time"}}, 503, {}, "status 503: 'i-1 has no time'"),
        ({"error": {"message": "\x1b[2J" * 999}}, 503, {}, r"status 503: '\x1b[2J\x1b[2J"),
        ({"error": "busy"}, 503, {}, "status 503"),
        (b"[" * 60_000, 503, {}, "status 503"),
        (b"busy", 503, {}, "status 503"),
        ({}, 200, {"Age": "7"}, "the response comes from a cache (Age: '7')"),
        ({"now": "2026-11-22T10:11:12"}, 200, {}, "has no time zone"),
        (b"\x1b[2Jno\n", 200, {}, r"the response is not JSON: '\x1b[2Jno\n'"),
    ],
)
def test_the_detail_says_what_came(
    content: object, status: int, headers: dict[str, str], detail: str
) -> None:
    assert detail in check_server(respond(content, status, **headers)).verdict.detail


@pytest.mark.parametrize(
    ("behaviour", "hint"),
    [
        (time_service(3600), "time zone or DST error (+1 h)"),
        (time_service(-20_700), "time zone or DST error (-5.75 h)"),
        # Such a clock also runs slow, so the check may first find it frozen or jumping.
        (seconds_for_milliseconds, "seconds read as milliseconds"),
    ],
)
def test_the_detail_names_the_likely_cause(behaviour: Behaviour, hint: str) -> None:
    verdict = check_server(behaviour).verdict
    assert verdict.status == "Failed"
    assert verdict.detail.endswith(hint)


def test_a_clock_that_is_read_after_the_headers_are_sent_is_not_blamed_for_the_delay() -> None:
    def behave(request: Request) -> None:
        request.wfile.write(CHUNKED)
        request.server.closing.wait(0.3)
        body = json.dumps({"now": rfc3339(), "instance": "i-1"}).encode()
        request.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    with web(behave) as server:
        verdict = check(server.url, ask_reference=exact_reference, limit=0.2, samples=2).verdict
    assert verdict.reason == "undetermined"
    assert verdict.worst
    assert verdict.worst.error.low <= 0 <= verdict.worst.error.high
    assert check_server(behave).verdict.status == "OK"


def test_hosts_without_a_name_are_not_taken_for_one_clock_that_jumps() -> None:
    nameless = [
        lambda request, shift=shift: request.answer({"now": rfc3339(shift)}) for shift in (0.0, 0.3)
    ]
    assert check_server(alternate(*nameless)).verdict.status == "OK"
    assert check_server(alternate(*nameless), limit=0.2).verdict.reason == "undetermined"


def test_a_right_clock_gets_requests_over_new_connections_and_over_kept_ones() -> None:
    ports = []

    def note(request: Request) -> None:
        ports.append(request.client_address[1])
        time_service()(request)

    result = check_server(note)
    assert result.verdict.status == "OK"
    assert len(ports) == len(result.reading.samples)
    assert len(set(ports)) == result.coverage.connections >= 14
    assert len(ports) == 2 * len(set(ports))


@pytest.mark.parametrize(("length", "reason"), [(65_536, "ok"), (65_537, "body")])
def test_a_response_of_64_kib_is_the_longest(length: int, reason: str) -> None:
    def behave(request: Request) -> None:
        body = json.dumps({"now": rfc3339(), "instance": "i-1"}).encode()
        request.answer(body.ljust(length))

    verdict = check_server(behave).verdict
    assert verdict.reason == reason
    assert verdict.reason == "ok" or verdict.detail == "the response is longer than 64 KiB"


@pytest.mark.parametrize(
    ("name", "printed"),
    [("n" * 63, "n" * 63), ("n" * 64, "n" * 64), ("n" * 65, "n" * 51 + "~")],
    ids=["63", "64", "65"],
)
def test_a_name_of_64_characters_is_the_longest(name: str, printed: str) -> None:
    worst = check_server(time_service(instance=name)).verdict.worst
    assert worst is not None
    assert worst.name.startswith(printed)
    assert len(worst.name) == min(len(name), 64)


def test_details_repeat_no_more_than_the_start_of_a_response() -> None:
    assert check_server(respond(b"x" * 99)).verdict.detail.endswith(f": '{'x' * 60}'")
    age = check_server(respond({}, Age="7" * 30)).verdict.detail
    assert age.endswith(f"(Age: '{'7' * 20}')")
    error = check_server(respond({"error": {"message": "x" * 999}}, 503)).verdict.detail
    assert error.endswith(f"status 503: '{'x' * 128}'")


@pytest.mark.parametrize("left", [0.0, -0.1])
def test_after_the_deadline_nothing_is_requested(
    monkeypatch: pytest.MonkeyPatch, left: float
) -> None:
    monkeypatch.setattr(samples, "steady_time", lambda: 100.0)
    with web(time_service()) as server:
        query = samples.Query(server.url, environment=False)
        late = samples.Service(query, Dialer(), deadline=100.0 + left)
        with pytest.raises(Trouble, match="no complete response in time") as refused:
            late.sample()
    assert (refused.value.reason, server.requests) == ("timeout", [])


def test_the_connection_ends_with_the_check() -> None:
    """The server's thread for a connection ends when that is closed."""
    before = set(threading.enumerate())
    with web(time_service()) as server:
        check(server.url, ask_reference=exact_reference)
        left = [thread for thread in threading.enumerate() if "process_request" in thread.name]
        for thread in set(left) - before:
            thread.join(5.0)
            assert not thread.is_alive()


def test_an_unclear_clock_gets_all_its_samples_and_no_more() -> None:
    with web(time_service(1.0)) as server:
        result = check(server.url, ask_reference=exact_reference, samples=5)
    assert result.verdict.reason == "undetermined"
    assert len(result.reading.samples) == len(server.requests) == 5


@pytest.mark.parametrize("end", [socket.SHUT_RDWR, None], ids=["closed", "reset"])
def test_a_kept_connection_may_end_at_any_moment(
    monkeypatch: pytest.MonkeyPatch, end: int | None
) -> None:
    """The second request may be under way then, after the connection was idle for too long."""
    # The request is sent again at once, and not as after a failure.
    monkeypatch.setattr(checking, "RETRY_AFTER", PATIENCE + 1)

    def behave(request: Request) -> None:
        if hasattr(request, "asked"):
            request.close_connection = True
            if end is None:
                linger = struct.pack("ii", 1, 0)
                request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        request.asked = True  # type: ignore[attr-defined]  # one handler for each connection
        time_service()(request)

    result = check_server(behave)
    assert result.verdict.status == "OK", result.verdict.detail
    assert all(sample.has_connected for sample in result.reading.samples)


def test_an_answer_is_not_asked_for_again_but_a_connection_is() -> None:
    for behaviour, count in [(respond({}, 500), 1), (hang_up, 2)]:
        with web(behaviour) as server:
            check(server.url, ask_reference=exact_reference)
        assert len(server.requests) == count


def test_the_offset_found_is_the_servers_and_inside_its_bound() -> None:
    result = check_server(time_service(-0.7))
    worst = result.verdict.worst
    assert worst is not None
    assert is_inside(-0.7, worst.error)
    assert worst.error.half_width <= widest_bound(result.phases)


def test_a_delay_on_one_side_widens_the_bound_and_does_not_betray_it() -> None:
    """The clock is read at the end of a slow response: the midpoint would be 150 ms off."""
    result = check_server(slow_clock(0.3))
    worst = result.verdict.worst
    assert worst is not None
    assert result.verdict.status == "OK"
    assert worst.error.low <= 1e-5
    assert worst.error.high >= -1e-5


def test_a_coarse_stamp_that_stands_is_caught_once_it_must_have_moved() -> None:
    stamp = rfc3339()[:-4] + "Z"  # milliseconds
    # On a busy machine, the stamp is old as well, which would be another fault.
    assert check_server(respond({"now": stamp}), limit=PATIENCE).verdict.reason == "frozen"


def test_whole_seconds_are_enough_for_a_clock_that_is_right() -> None:
    def whole(request: Request) -> None:
        # Each stamp is from the middle of a second, so that its fraction does not decide the test.
        middle = 0.5 - time.time_ns() % 10**9 / 1e9
        request.answer({"now": rfc3339(middle)[:19] + "Z"})

    result = check_server(whole, limit=1.6)
    assert result.verdict.status == "OK", result.verdict.detail


def test_requests_carry_the_headers_that_keep_caches_and_compression_out() -> None:
    with web(time_service()) as server:
        check(server.url, ask_reference=exact_reference)
    for headers in server.requests:
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Accept"] == "application/json"
        assert headers["Accept-Encoding"] == "identity"
        assert headers["User-Agent"].startswith("timeservice-healthcheck/")


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert check_server(time_service()).verdict.status == "OK"


def test_an_instance_cannot_break_the_line() -> None:
    worst = check_server(time_service(instance="i-1\n\x1b[2J" + "é" * 99)).verdict.worst
    assert worst is not None
    assert worst.name.isascii()
    assert worst.name.isprintable()
    assert len(worst.name) <= 64


def clock_setter(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets our own clock forward by some seconds."""
    real, shift = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + shift[0])
    return lambda by: shift.__setitem__(0, shift[0] + by)


@pytest.mark.parametrize("step", [-86400.0, -30.0, -0.2, 0.2, 30.0, 86400.0])
@pytest.mark.parametrize(("error", "status"), [(0.0, "OK"), (0.3, "Failed")])
def test_our_own_clock_may_be_set_at_any_moment(
    monkeypatch: pytest.MonkeyPatch, step: float, error: float, status: str
) -> None:
    set_by = clock_setter(monkeypatch)

    def behave(request: Request) -> None:
        set_by(step)
        time_service(error)(request)
        set_by(step)

    with ntp() as server, web(behave) as service:
        ask = functools.partial(measure, [server.name])
        result = check(service.url, ask_reference=ask, limit=0.15)
    assert result.verdict.status == status, result.verdict.detail


@pytest.mark.parametrize("kind", ["local", "chosen"])
def test_a_clock_of_ours_that_is_set_while_it_is_the_reference_makes_no_verdict(
    monkeypatch: pytest.MonkeyPatch, kind: Literal["local", "chosen"]
) -> None:
    set_by = clock_setter(monkeypatch)

    def behave(request: Request) -> None:
        set_by(1.0)
        time_service()(request)

    with web(behave) as service:
        verdict = check(service.url, ask_reference=lambda _: use_own_clock(kind)).verdict
    assert (verdict.status, verdict.reason) == ("Unknown", "own_clock")


def test_without_another_thread_there_is_no_verdict_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    start = threading.Thread.start

    def start_all_but_one(thread: threading.Thread) -> None:
        if "_ask" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    with web(time_service()) as service:
        monkeypatch.setattr(threading.Thread, "start", start_all_but_one)
        result = check(service.url, ask_reference=exact_reference)
    assert (result.verdict.status, result.verdict.reason) == ("Unknown", "error")
    assert result.phases["total"] < PATIENCE / 2
    assert "Traceback" not in capfd.readouterr().err


def test_a_defect_of_our_own_is_reported_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(body: bytes) -> None:
        raise LookupError("no such thing")

    monkeypatch.setattr(samples, "parse_answer", broken)
    verdict = check_server(time_service()).verdict
    assert (verdict.status, verdict.reason) == ("Unknown", "error")
    assert "no such thing" in verdict.detail


def test_a_silent_reference_does_not_use_up_the_deadline() -> None:
    """The reference gets half of the time, and the service is measured meanwhile."""
    start = steady_time()

    def silent(patience: float) -> Reference:
        assert patience == PATIENCE / 2
        wait_until(lambda: len(server.requests) >= 28 and steady_time() >= start + 0.5)
        return use_own_clock("local")

    with web(time_service()) as server:
        result = check(server.url, ask_reference=silent)
    assert result.verdict.status == "OK"
    assert result.reading.reference.kind == "local"
    assert 0.4 <= result.phases["reference"] <= result.phases["total"]
