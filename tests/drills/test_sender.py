"""The load's requests, on a connection whose other end the test has; test_load has real servers."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from drills import sender
from drills.load import Request
from drills.sender import Sender


class Client:
    """A sender with an idle connection. server: its other end."""

    def __init__(self, server: socket.socket, idle: socket.socket) -> None:
        self.log = io.StringIO()
        self.sender = Sender("http://example.org:8080/now", self.log)
        self.server, self.idle = server, idle
        self.sender.idle.append(idle)

    def send(self, *data: bytes, due: float = 0.0, ends: bool = False) -> Request:
        """Send a request that was due a second ago; `data` is the response, in pieces."""

        async def respond() -> None:
            request = asyncio.create_task(self.sender.send(due or time.time() - 1.0))
            # Let the loop run once for the request to leave, and once for each piece of the
            # response.
            for piece in data:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                self.server.sendall(piece)
            if ends:
                self.server.shutdown(socket.SHUT_WR)
            await request

        # asyncio.run would take the thread's event loop from the tests that follow.
        loop = asyncio.new_event_loop()
        loop.run_until_complete(respond())
        loop.close()
        return Request(*json.loads(self.log.getvalue().splitlines()[-1]))

    @property
    def is_kept(self) -> bool:
        return self.sender.idle == [self.idle]


@pytest.fixture
def client() -> Iterator[Client]:
    server, idle = socket.socketpair()
    idle.setblocking(False)
    with server, idle:
        yield Client(server, idle)


def response(
    *, epoch: float = 0.0, version: str = "1.1", headers: str = "", length: bool = True
) -> bytes:
    body = json.dumps({"epoch": epoch, "instance": "i-1", "version": "v1"})
    counted = f"Content-Length: {len(body)}\r\n" if length else ""
    return f"HTTP/{version} 200 OK\r\n{counted}{headers}\r\n{body}".encode()


def test_a_request_names_its_host_and_path(client: Client) -> None:
    client.send(response())
    head = b"GET /now HTTP/1.1\r\nHost: example.org:8080\r\n"
    assert client.server.recv(4096).startswith(head)


def test_a_response_in_pieces_is_complete_with_its_last_byte(client: Client) -> None:
    request = client.send(*(bytes([byte]) for byte in response()))
    assert (request.status, request.instance, request.version) == (200, "i-1", "v1")
    assert request.latency >= 1.0
    assert client.is_kept


def test_a_response_without_a_body_is_complete_with_its_head(client: Client) -> None:
    head = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nServer: x\r\n\r\n"
    assert client.send(*(bytes([byte]) for byte in head)).status == 503
    assert client.is_kept


@pytest.mark.parametrize(
    "data",
    [
        response(headers="Connection: close\r\n"),
        response(version="1.0"),
        response(length=False),
    ],
)
def test_a_connection_that_ends_with_its_response_is_not_used_again(
    client: Client, data: bytes
) -> None:
    assert client.send(data, ends=True).status == 200
    assert client.sender.idle == []
    assert client.idle.fileno() == -1


@pytest.mark.parametrize("data", [b"", response()], ids=["closed", "a response without a request"])
def test_an_idle_connection_that_is_not_good_is_closed(client: Client, data: bytes) -> None:
    client.server.sendall(data)
    if not data:
        client.server.close()
    assert client.sender._take_idle() is None
    assert client.idle.fileno() == -1


def test_a_time_ahead_is_wrong_by_what_the_round_trip_cannot_explain(client: Client) -> None:
    request = client.send(response(epoch=time.time() + 1e6))
    assert request.wrong == pytest.approx(1e6, abs=1e3)


@pytest.mark.parametrize(("epoch", "wrong"), [(9.5, 0.5), (10.0, 0.0), (11.0, 0.0), (12.5, 0.5)])
def test_a_time_is_wrong_if_it_is_not_between_sending_and_receiving(
    epoch: float, wrong: float
) -> None:
    results = sender.read_body(json.dumps({"epoch": epoch}).encode(), 10.0, 12.0)
    assert results["wrong"] == wrong


def test_a_wrong_time_is_measured_from_the_moment_of_sending_and_not_of_being_due(
    client: Client,
) -> None:
    before = time.time()
    request = client.send(response(epoch=before - 0.5), due=before - 1.0)
    assert 0.5 <= request.wrong <= 0.5 + time.time() - before


@pytest.mark.parametrize("body", [b"busy", b"[]", b'{"epoch": "noon"}'])
def test_a_body_that_is_no_time_keeps_its_status(client: Client, body: bytes) -> None:
    request = client.send(b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert (request.status, request.trouble, request.wrong) == (503, "", 0.0)


def test_a_request_fails_with_its_connection(client: Client) -> None:
    request = client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", ends=True)
    assert (request.status, request.trouble) == (0, "the connection was closed")
    assert request.latency >= 1.0
    assert client.sender.idle == []


def test_what_is_no_response_is_a_failure(client: Client) -> None:
    request = client.send(b"HTTP/1.1 two hundred\r\nContent-Length: 0\r\n\r\n")
    assert request.has_failed
    assert "invalid literal" in request.trouble
    assert client.sender.idle == []


def test_a_request_that_waits_too_long_fails_and_ends_its_connection(client: Client) -> None:
    assert sender.PATIENCE == 10.0
    request = client.send(due=time.time() - 10.1)
    assert (request.status, request.trouble) == (0, "no response within 10 s")
    assert client.idle.fileno() == -1
    assert client.sender.pending == 0


def test_no_more_connections_are_opened_than_a_client_has_ports_for(client: Client) -> None:
    client.sender.pending = 4000
    assert client.send().trouble == "no connection is left"
    assert client.is_kept
    client.sender.pending = 3999
    assert client.send(response()).status == 200


def test_requests_are_due_at_the_rate_and_the_last_responses_are_awaited(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    # Each reading of the clock is a millisecond later than the last.
    clock = (number / 1000 for number in itertools.count())
    monkeypatch.setattr(sender, "time", SimpleNamespace(time=lambda: next(clock)))
    dues: list[float] = []
    responses: list[float] = []
    loop = asyncio.new_event_loop()
    ended: asyncio.Future[Any] = loop.create_future()

    async def send(due: float) -> None:
        dues.append(due)
        if len(dues) == 5:
            ended.set_result(None)
        await asyncio.sleep(0.01)
        responses.append(due)

    monkeypatch.setattr(client.sender, "send", send)
    loop.run_until_complete(client.sender.run(50.0, ended))
    loop.close()
    gaps = [after - before for before, after in itertools.pairwise(dues)]
    assert len(gaps) >= 4
    assert gaps == pytest.approx([0.02] * len(gaps))
    assert responses == dues
