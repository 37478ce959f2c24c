"""The load's connections, on a transport that keeps what is written; test_load has real ones."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

from drills import sender
from drills.load import Request
from drills.sender import Connection, Pending, Sender


class Transport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted


class Client:
    """A sender with a connection and a request on it, which was due a second ago."""

    def __init__(self) -> None:
        self.log = io.StringIO()
        self.sender = Sender("http://example.org:8080/now", self.log)
        self.transport = Transport()
        self.connection = Connection(self.sender)
        self.connection.connection_made(self.transport)
        self.sender.connections = 1
        self.pending = self.send(time.time() - 1.0)

    def send(self, due: float) -> Pending:
        self.sender.idle.append(self.connection)
        self.sender.send(due)
        return list(self.sender.pending)[-1]

    @property
    def requests(self) -> list[Request]:
        return [Request(*json.loads(line)) for line in self.log.getvalue().splitlines()]


def response(
    *, epoch: float = 0.0, version: str = "1.1", headers: str = "", length: bool = True
) -> bytes:
    body = json.dumps({"epoch": epoch, "instance": "i-1", "version": "v1"})
    counted = f"Content-Length: {len(body)}\r\n" if length else ""
    return f"HTTP/{version} 200 OK\r\n{counted}{headers}\r\n{body}".encode()


def test_a_request_names_its_host_and_path() -> None:
    head = b"GET /now HTTP/1.1\r\nHost: example.org:8080\r\n"
    assert Client().transport.written.startswith(head)


def test_a_response_in_pieces_is_complete_with_its_last_byte() -> None:
    client = Client()
    data = response()
    for byte in data[:-1]:
        client.connection.data_received(bytes([byte]))
    assert client.requests == []
    client.connection.data_received(data[-1:])
    (request,) = client.requests
    assert (request.status, request.instance, request.version) == (200, "i-1", "v1")
    assert request.latency >= 1.0
    assert client.sender.idle == [client.connection]


@pytest.mark.parametrize(
    "data",
    [
        response(headers="Connection: close\r\n"),
        response(version="1.0"),
        response(length=False),
    ],
)
def test_a_connection_that_ends_with_its_response_is_not_used_again(data: bytes) -> None:
    client = Client()
    client.connection.data_received(data)
    assert [request.status for request in client.requests] == [200]
    assert client.transport.aborted
    assert client.sender.idle == []


def test_a_response_without_a_request_ends_the_connection() -> None:
    client = Client()
    client.connection.data_received(response())
    assert not client.transport.aborted
    client.connection.data_received(response())
    assert client.transport.aborted
    assert len(client.requests) == 1


def test_a_time_ahead_is_wrong_by_what_the_round_trip_cannot_explain() -> None:
    client = Client()
    client.connection.data_received(response(epoch=time.time() + 1e6))
    assert client.requests[0].wrong == pytest.approx(1e6, abs=1e3)


def test_a_time_between_sending_and_receiving_is_right() -> None:
    client = Client()
    client.connection.data_received(response(epoch=time.time()))
    assert client.requests[0].wrong == 0.0


def test_a_wrong_time_is_measured_from_the_moment_of_sending_and_not_of_being_due() -> None:
    client = Client()
    client.connection.data_received(response(epoch=client.pending.sent - 0.5))
    assert client.requests[0].wrong == pytest.approx(0.5)


def test_a_body_that_is_no_time_keeps_its_status() -> None:
    client = Client()
    client.connection.data_received(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
    (request,) = client.requests
    assert (request.status, request.trouble, request.wrong) == (503, "", 0.0)


@pytest.mark.parametrize(
    ("trouble", "reason"), [(None, "the connection was closed"), (OSError("reset"), "reset")]
)
def test_a_request_fails_with_its_connection(trouble: Exception | None, reason: str) -> None:
    client = Client()
    client.connection.connection_lost(trouble)
    (request,) = client.requests
    assert (request.status, request.trouble) == (0, reason)
    assert request.latency >= 1.0
    assert client.sender.connections == 0


def test_an_idle_connection_that_is_lost_is_not_used_again() -> None:
    client = Client()
    client.connection.data_received(response())
    client.connection.connection_lost(None)
    assert client.sender.idle == []
    assert len(client.requests) == 1


def test_a_request_that_waits_too_long_fails_and_ends_its_connection() -> None:
    assert sender.PATIENCE == 10.0
    client = Client()
    late = client.send(time.time() - 10.1)
    client.sender.pending = {late: None, client.pending: None}
    client.sender.give_up()
    assert [request.trouble for request in client.requests] == ["no response within 10 s"]
    assert list(client.sender.pending) == [client.pending]
    assert client.transport.aborted
    client.connection.connection_lost(None)
    assert len(client.requests) == 1


def test_no_more_connections_are_opened_than_a_client_has_ports_for() -> None:
    client = Client()
    client.sender.connections = 4000
    client.sender.send(time.time())
    assert [request.trouble for request in client.requests] == ["no connection is left"]


def test_requests_follow_the_rate_that_is_set_last(monkeypatch: pytest.MonkeyPatch) -> None:
    # A millisecond passes with each look at the clock.
    clock = (number / 1000 for number in itertools.count())
    monkeypatch.setattr(sender, "time", SimpleNamespace(time=lambda: next(clock)))
    client = Client()
    client.sender.pending = {}
    dues: list[float] = []
    rates: asyncio.Queue[float | None] = asyncio.Queue()

    def send(due: float) -> None:
        dues.append(due)
        if len(dues) == 5:
            rates.put_nowait(100.0)
        if len(dues) == 10:
            rates.put_nowait(None)

    monkeypatch.setattr(client.sender, "send", send)
    # asyncio.run would take the thread's event loop from the tests that follow.
    loop = asyncio.new_event_loop()
    loop.run_until_complete(client.sender.run(rates, 50.0))
    loop.close()
    gaps = [after - before for before, after in itertools.pairwise(dues)]
    assert gaps == pytest.approx([0.02] * 4 + [gaps[4]] + [0.01] * 4)
    # The new rate counts from the moment at which it is set.
    assert gaps[4] < 0.01
