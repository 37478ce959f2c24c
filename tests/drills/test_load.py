"""The load of the drills: an open loop that keeps each request and hides no failure."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from drills import load
from drills.load import Request
from tests.support.waiting import PATIENCE

RESPONSE = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}"
# Responds to a request; returns whether the connection stays open.
Behaviour = Callable[[socket.socket, int], bool]


def respond(connection: socket.socket, epoch: float | None = None, headers: str = "") -> None:
    body = json.dumps({"epoch": epoch or time.time(), "instance": "i-1", "version": "v1"})
    connection.sendall(RESPONSE.format(len(body), headers, body).encode())


def good(connection: socket.socket, number: int) -> bool:
    respond(connection)
    return True


@contextmanager
def server(behaviour: Behaviour = good) -> Iterator[str]:
    """A server with a thread for each connection; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection:
                number = 0
                while connection.recv(4096):
                    number += 1
                    if not behaviour(connection, number):
                        return

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/now"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def shorten_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "AROUND", 0.6)


def send_load(url: str) -> list[Request]:
    """Send 50 requests a second for a good second, and return them."""
    with load.run_load(url, 50.0) as requests:
        pass
    return requests


def test_each_request_is_kept_with_the_host_that_responded() -> None:
    with server() as url:
        kept = send_load(url)
    assert len(kept) >= 40
    assert not any(request.has_failed for request in kept)
    assert {(request.instance, request.version) for request in kept} == {("i-1", "v1")}
    assert all(request.wrong == 0 for request in kept)


def test_requests_are_due_at_the_rate_however_slow_the_responses_are() -> None:
    def slow(connection: socket.socket, number: int) -> bool:
        time.sleep(0.5)
        return good(connection, number)

    with server(slow) as url:
        kept = send_load(url)
    gaps = [after.due - before.due for before, after in itertools.pairwise(kept)]
    assert all(gap == pytest.approx(1 / 50, abs=1e-4) for gap in gaps)
    assert len(kept) >= 40  # a closed loop would send two
    assert min(request.latency for request in kept) >= 0.5


def test_a_stall_is_charged_to_all_requests_that_were_due_meanwhile() -> None:
    received: list[int] = []
    ended = threading.Event()

    def stalls(connection: socket.socket, number: int) -> bool:
        received.append(number)
        if len(received) == 40:
            ended.set()
        ended.wait(PATIENCE)
        return good(connection, number)

    with server(stalls) as url, load.run_load(url, 50.0) as requests:
        assert ended.wait(PATIENCE)
    first, last = (requests[number].latency for number in (0, 38))
    # The first of 40 requests waits for the other 39, which are due 20 ms apart.
    assert first > 0.7
    assert last < first


def test_a_connection_that_breaks_under_a_request_is_a_failure_and_is_not_tried_again() -> None:
    received = []

    def breaks(connection: socket.socket, number: int) -> bool:
        received.append(number)
        return number < 3 and good(connection, number)

    with server(breaks) as url:
        kept = send_load(url)
    failed = [request for request in kept if request.has_failed]
    assert failed
    assert {request.trouble for request in failed} == {"the connection was closed"}
    assert len(received) == len(kept)


def test_a_connection_that_the_server_closes_properly_is_not_used_again() -> None:
    def last(connection: socket.socket, number: int) -> bool:
        respond(connection, headers="Connection: close\r\n")
        return False

    with server(last) as url:
        kept = send_load(url)
    assert len(kept) >= 40
    assert not any(request.has_failed for request in kept)


def test_a_wrong_time_is_measured_however_long_the_response_took() -> None:
    def wrong(connection: socket.socket, number: int) -> bool:
        respond(connection, epoch=time.time() + 3600.0)
        return True

    with server(wrong) as url:
        kept = send_load(url)
    assert all(3500 < request.wrong <= 3600 for request in kept)


def test_a_status_is_kept_and_a_request_without_a_response_has_its_reason() -> None:
    def unavailable(connection: socket.socket, number: int) -> bool:
        connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        return True

    with server(unavailable) as url:
        assert {request.status for request in send_load(url)} == {503}
    refused = send_load(url)
    assert refused
    assert all(request.has_failed and "refused" in request.trouble.lower() for request in refused)


def test_a_load_that_cannot_run_is_no_load_without_failures() -> None:
    with pytest.raises(RuntimeError, match="the load ended"), load.run_load("http://[", 50.0):
        pass
