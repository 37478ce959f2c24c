"""Connections by Happy Eyeballs: silent, refused and many addresses, and a slow DNS server."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from healthcheck import dialer
from healthcheck.check import Result, check
from healthcheck.clock import steady_time
from healthcheck.dialer import Dialer
from tests.support.healthcheck_runs import exact_reference, is_inside
from tests.support.healthcheck_servers import Request, time_service, web
from tests.support.waiting import PATIENCE

Target = tuple[str, int]


@contextlib.contextmanager
def silent_servers(number: int) -> Iterator[list[Target]]:
    """Addresses that never respond to a handshake, because their queues are full."""
    with contextlib.ExitStack() as stack:
        targets = []
        for index in range(number):
            listening = stack.enter_context(socket.socket())
            listening.bind((f"127.0.0.{2 + index}", 0))
            listening.listen(0)
            targets.append(listening.getsockname())
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(targets[-1])
        yield targets


def use_lookup(monkeypatch: pytest.MonkeyPatch, lookup: Callable[[int], list[Target]]) -> None:
    """Let a lookup of that family return these addresses."""

    def getaddrinfo(host: str, port: int, family: int = 0, *_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", found) for found in lookup(family)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def ipv4_only(targets: list[Target]) -> Callable[[int], list[Target]]:
    return lambda family: targets if family == socket.AF_INET else []


@pytest.fixture
def handshakes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record when each connection is open, on the steady clock."""
    moments: list[float] = []
    connect = Dialer.connect

    def note(*arguments: Any) -> socket.socket:
        connection = connect(*arguments)
        moments.append(steady_time())
        return connection

    monkeypatch.setattr(Dialer, "connect", note)
    return moments


def has_connected_before_each_sample(handshakes: list[float], result: Result) -> bool:
    """Return whether neither a silent address nor a handshake is part of a sample."""
    sent = [sample.sent for sample in result.reading.samples if sample.has_connected]
    pairs = zip(sorted(handshakes), sorted(sent), strict=True)
    return all(connection <= request for connection, request in pairs)


@pytest.mark.parametrize("number", [1, 4, 29])
def test_silent_addresses_before_a_good_one_do_no_harm(
    monkeypatch: pytest.MonkeyPatch, handshakes: list[float], number: int
) -> None:
    with silent_servers(number) as silent, web(time_service()) as server:
        use_lookup(monkeypatch, ipv4_only([*silent, ("127.0.0.1", server.server_port)]))
        result = check("http://service.test", ask_reference=exact_reference)
    assert result.verdict.status == "OK", result.verdict.detail
    assert has_connected_before_each_sample(handshakes, result)


def test_a_silent_address_is_no_part_of_a_sample_where_each_one_connects(
    monkeypatch: pytest.MonkeyPatch, handshakes: list[float]
) -> None:
    def close_each(request: Request) -> None:
        request.close_connection = True
        time_service()(request)

    with silent_servers(1) as silent, web(close_each) as server:
        use_lookup(monkeypatch, ipv4_only([*silent, ("127.0.0.1", server.server_port)]))
        result = check("http://service.test", ask_reference=exact_reference)
    assert result.verdict.status == "OK", result.verdict.detail
    assert len(handshakes) == len(result.reading.samples)
    assert has_connected_before_each_sample(handshakes, result)


def test_connections_are_spread_over_the_addresses_that_respond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with web(time_service(0, "a")) as first, web(time_service(2, "b")) as another:
        targets = [("127.0.0.1", server.server_port) for server in (first, another)]
        use_lookup(monkeypatch, ipv4_only(targets))
        verdict = check("http://service.test", ask_reference=exact_reference).verdict
    assert verdict.detail.startswith("host b is ")
    assert verdict.worst
    assert is_inside(2.0, verdict.worst.error)


def test_a_silent_address_comes_last_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_servers(1) as silent, web(time_service()) as server:
        good = ("127.0.0.1", server.server_port)
        use_lookup(monkeypatch, ipv4_only([*silent, good]))
        dialer = Dialer()
        for _ in range(5):
            with dialer.connect("service.test", 80, PATIENCE) as connection:
                assert connection.getpeername() == good
                # The kernel must not hold a request back.
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert dialer._uses[socket.AF_INET, silent[0]] < 20_000


@pytest.mark.parametrize("slow", [socket.AF_INET, socket.AF_INET6])
def test_a_lookup_that_hangs_for_one_family_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, slow: int
) -> None:
    released = threading.Event()
    with web(time_service()) as server:

        def look_up(family: int) -> list[Target]:
            if family == slow:
                released.wait()
            return [("127.0.0.1", server.server_port)]

        use_lookup(monkeypatch, look_up)
        verdict = check("http://service.test", ask_reference=exact_reference).verdict
        released.set()
    assert verdict.status == "OK", verdict.detail


@pytest.mark.parametrize(
    ("targets", "reason"),
    [([], "dns"), ([("127.0.0.1", 9)], "refused"), ([("127.0.0.1", 9)] * 30, "refused")],
)
def test_a_host_without_a_good_address_has_its_reason(
    monkeypatch: pytest.MonkeyPatch, targets: list[Target], reason: str
) -> None:
    use_lookup(monkeypatch, ipv4_only(targets))
    assert check("http://service.test", ask_reference=exact_reference).verdict.reason == reason


def test_addresses_that_are_all_silent_are_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_servers(2) as silent:
        use_lookup(monkeypatch, ipv4_only(silent))
        result = check("http://service.test", ask_reference=exact_reference, deadline=0.7)
    assert result.verdict.reason == "timeout"


def test_a_family_that_this_machine_lacks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def refuse(family: int = -1, *arguments: Any, **options: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *arguments, **options)

    with web(time_service()) as server:
        port = server.server_port

        def getaddrinfo(host: str, _port: int, family: int = 0, *_: Any) -> list[Any]:
            address = ("::1", port, 0, 0) if family == socket.AF_INET6 else ("127.0.0.1", port)
            return [(family, socket.SOCK_STREAM, 6, "", address)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(socket, "socket", refuse)
        with Dialer().connect("service.test", port, PATIENCE) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)


@pytest.mark.parametrize(
    ("failure", "number"),
    [
        (OSError(errno.EMFILE, "Too many open files"), errno.EMFILE),
        (OSError(), errno.EAFNOSUPPORT),
    ],
)
def test_a_socket_that_cannot_be_made_gives_its_error(
    monkeypatch: pytest.MonkeyPatch, failure: OSError, number: int
) -> None:
    real = socket.socket

    def refuse(family: int = -1, *arguments: Any, **options: Any) -> socket.socket:
        if family == socket.AF_INET:
            raise failure
        return real(family, *arguments, **options)

    use_lookup(monkeypatch, ipv4_only([("127.0.0.1", 9)]))
    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(OSError, match=re.escape(os.strerror(number))) as refused:
        Dialer().connect("service.test", 80, PATIENCE)
    assert refused.value.errno == number


@pytest.mark.parametrize(
    ("number", "timeout", "first_wait"),
    [
        pytest.param(1, PATIENCE, 0.25, id="enough time"),
        # All addresses are tried in the first half of the time.
        pytest.param(3, 1.0, 0.125, id="little time"),
    ],
)
def test_the_next_address_is_tried_after_a_quarter_of_a_second_or_sooner(
    monkeypatch: pytest.MonkeyPatch, number: int, timeout: float, first_wait: float
) -> None:
    now, waits = 100.0, []
    wait = dialer._Attempts.wait

    def pass_time(attempts: dialer._Attempts, seconds: float) -> list[tuple[dialer.Address, int]]:
        nonlocal now
        if not attempts.running or len(attempts.begun) > number:
            return wait(attempts, seconds)
        waits.append(seconds)
        now += seconds
        return wait(attempts, 0)

    monkeypatch.setattr(dialer, "steady_time", lambda: now)
    monkeypatch.setattr(dialer._Attempts, "wait", pass_time)
    with silent_servers(number) as silent, web(time_service()) as server:
        use_lookup(monkeypatch, ipv4_only([*silent, ("127.0.0.1", server.server_port)]))
        Dialer().connect("service.test", 80, timeout).close()
    assert waits[0] == pytest.approx(first_wait)
    assert len(waits) == number
