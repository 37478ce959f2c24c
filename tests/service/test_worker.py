"""The fast lane answers as the threads and Flask do, whatever the request."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from gunicorn.workers.gthread import ThreadWorker
from hypothesis import given, settings, strategies

from service.worker import PLAIN, Worker
from tests.service.abuse.wire import ROWS
from tests.support.healthcheck_servers import ntp
from tests.support.serving import Running, run_service
from tests.support.waiting import PATIENCE, wait_until

BALANCER = [
    "X-Forwarded-For: 192.0.2.7",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Port: 80",
    "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678",
    "User-Agent: curl/7.88.1",
    "Accept: */*",
]


def request(*headers: str, line: str = "GET /now HTTP/1.1", host: str = "Host: x") -> bytes:
    return "".join(f"{text}\r\n" for text in (line, host, *headers, "")).encode("latin-1")


def test_the_lane_takes_what_a_balancer_sends() -> None:
    assert PLAIN.fullmatch(request(*BALANCER, "Connection: keep-alive"))
    assert PLAIN.fullmatch(request(host="host: timeservice-prod-1.us-east-1.elb.amazonaws.com:80"))
    assert PLAIN.fullmatch(request("accept: application/json", "Accept-Encoding: gzip"))


@pytest.mark.parametrize(
    "raw",
    [
        *(request(line=f"{method} /now HTTP/1.1") for method in ("HEAD", "get", "POST", "G")),
        *(request(line=f"GET {path} HTTP/1.1") for path in ("/now?", "/", "/NOW", "//now")),
        *(request(line=f"GET /now {version}") for version in ("HTTP/1.0", "http/1.1", "HTTP/1.11")),
        *(request(f"Accept: {accept}") for accept in ("text/plain", "*/*;q=0", "a, */*", "")),
        *(request(f"Connection: {what}") for what in ("close", "upgrade", "keep-alive, x", "")),
        *(request(f"Content-{name}: 0") for name in ("Length", "Type", "Encoding", "x")),
        *(request(f"{name}: x") for name in ("Expect", "Upgrade", "Transfer-Encoding", "Host")),
        *(request(host=host) for host in ("", "Host:", "Host: a b", "Host: [::1]", "Host: a..b")),
        *(request(header) for header in ("X_y: z", "X : y", " X: y", ": y", "X", "X: é")),
        *(request(header) for header in ("X: a\rb", "X: a\nY: b", "X: \x00", "X: a\tb")),
        *(request(host=f"Host: {'a' * length}.x") for length in (64, 300)),
        request(*["X: y"] * 99),
        request()[:-1],
        request() + b"G",
        request() * 2,
        b"\r\n" + request(),
        b"",
    ],
    ids=lambda raw: repr(raw)[:60],
)
def test_the_lane_leaves_all_that_is_not_plain(raw: bytes) -> None:
    assert not PLAIN.fullmatch(raw)


def test_the_lane_takes_no_abuse_but_what_is_harmless() -> None:
    # The worker reads this many bytes at once.
    taken = [row for row in ROWS if PLAIN.fullmatch(row.sent[:4096])]
    assert {row.alone for row in taken} <= {"200", "200|400"}
    assert len(taken) < 40


def test_a_client_has_ten_seconds_for_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, now = Worker.__new__(Worker), 500.0
    is_cut_off = {}

    def handle(_worker: Worker, conn: MagicMock) -> bool:
        nonlocal now
        for seconds in (10.0, 10.1):
            now = 500.0 + seconds
            worker.murder_pending()
            is_cut_off[seconds] = conn.sock.shutdown.called
        return True

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(ThreadWorker, "murder_pending", lambda _worker: None)
    monkeypatch.setattr(ThreadWorker, "handle", handle)
    worker.handle(MagicMock())
    assert is_cut_off == {10.0: False, 10.1: True}


@pytest.mark.parametrize(
    ("enabled", "alive", "is_end"),
    [(False, True, False), (True, False, False), (False, False, True)],
)
def test_the_connections_that_wait_are_accepted_at_the_end_alone(
    enabled: bool, alive: bool, is_end: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThreadWorker, "set_accept_enabled", lambda *_: None)
    worker, accepted = Worker.__new__(Worker), []
    worker.alive = alive
    worker.accept = lambda listener: accepted.append(listener.accept()[0])
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        for listener in (listeners[0], *listeners):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        worker.sockets = listeners.copy()
        worker.set_accept_enabled(enabled)
        for client in accepted:
            client.close()
        assert len(accepted) == (3 if is_end else 0)
        assert {listener.fileno() == -1 for listener in listeners} == {is_end}


@pytest.fixture(scope="module")
def lane_and_threads(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Running, Running]]:
    folder = tmp_path_factory.mktemp("service")
    threads = ("--worker-class", "tests.support.workers.ThreadsOnly")
    with (
        ntp() as server,
        run_service(folder / "lane", server.name) as lane,
        run_service(folder / "threads", server.name, *threads) as only_threads,
    ):
        yield lane, only_threads


def connect(running: Running) -> socket.socket:
    host, port = running.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def receive(client: socket.socket) -> Any:
    """Return the status line, the headers and the JSON of a response; [] if there is none."""
    with client.makefile("rb") as file:
        lines = list(iter(lambda: file.readline().rstrip(b"\r\n").decode(), ""))
        if not lines:
            return []
        length = int(next(line[16:] for line in lines if line.startswith("Content-Length: ")))
        return lines[0], lines[1:], json.loads(file.read(length))


def strip_moment(response: Any) -> Any:
    """Return the parts of a response that two responses have in common, in any order."""
    if not response:
        return response
    status, headers, body = response
    # Both services measure for themselves, and one may have had a late response.
    clock = sorted(body.get("clock", {}))
    kept = [header for header in headers if not header.startswith(("Date: ", "Content-Length: "))]
    return status, sorted(kept), {**body, "now": "", "epoch": 0, "clock": clock}, len(headers)


NAMES = strategies.sampled_from(
    [
        *("Accept-Encoding", "Authorization", "Cache-Control", "Cookie", "Date", "Forwarded"),
        *("HTTP2-Settings", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range"),
        *("Keep-Alive", "Max-Forwards", "Origin", "Pragma", "Prefer", "Proxy-Connection", "Range"),
        *("Sec-WebSocket-Key", "TE", "Trailer", "Upgrade-Insecure-Requests", "Via"),
        *("X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Proto", "X-Forwarded-Ssl"),
        *("X-HTTP-Method-Override", "X-Original-URL", "Script-Name", "Path-Info", "Accept"),
        *("Content-Type", "Content-Length", "Upgrade", "Expect", "Connection", "Host"),
    ]
) | strategies.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True)
VALUES = strategies.sampled_from(
    ["*/*", "application/json", "chunked", "trailers", "0", "7", "websocket", "https", "keep-alive"]
) | strategies.from_regex(r"[ -~]{,30}", fullmatch=True)
HEADERS = strategies.lists(strategies.tuples(NAMES, VALUES).map(": ".join), max_size=8)
HOSTS = strategies.sampled_from(["x", "127.0.0.1:80", "a" * 64, "a..b", "-", "x:99999"])
HOSTS |= strategies.from_regex(r"[A-Za-z0-9.:-]{1,70}", fullmatch=True)


@pytest.mark.integration
def test_the_threads_and_flask_answer_the_same_header_by_header(
    lane_and_threads: tuple[Running, Running],
) -> None:
    taken = []

    @settings(derandomize=True, database=None, deadline=None, max_examples=400)
    @given(HEADERS, HOSTS, HEADERS)
    def compare(before: list[str], host: str, after: list[str]) -> None:
        raw = request(*before, f"Host: {host}", *after, host="X: y")
        responses = []
        for running in lane_and_threads:
            with connect(running) as client:
                client.sendall(raw)
                responses.append(strip_moment(receive(client)))
        assert responses[0] == responses[1]
        if PLAIN.fullmatch(raw):
            taken.append(raw)

    compare()
    assert len(taken) > 100


@contextmanager
def run_worker(name: str, folder: Path) -> Iterator[Running]:
    """Run the service with that worker of tests/support/workers.py."""
    arguments = ("--worker-class", f"tests.support.workers.{name}")
    with ntp() as server, run_service(folder / "log", server.name, *arguments) as running:
        yield running


@pytest.fixture
def lane_only(tmp_path: Path) -> Iterator[Running]:
    with run_worker("LaneOnly", tmp_path) as running:
        yield running


@pytest.mark.integration
def test_a_connection_is_served_without_threads_and_flask(lane_only: Running) -> None:
    with connect(lane_only) as client:
        for _ in range(100):
            before = time.time()
            client.sendall(request(*BALANCER))
            status, _, body = receive(client)
            assert status == "HTTP/1.1 200 OK"
            # The digits of the time are cut, so the time may look a microsecond older.
            assert before - 1e-6 <= body["epoch"] <= time.time()
            assert body["now"][19:26] == f"{body['epoch']:.6f}"[-7:]
        client.sendall(request("Accept: text/plain"))
        assert receive(client) == []


@pytest.mark.integration
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_what_the_lane_has_read_in_vain_is_not_lost(shift: float, tmp_path: Path) -> None:
    """The lane leaves two requests to the threads: one in two pieces, and one while the clock is
    wrong."""
    expected = "503 SERVICE UNAVAILABLE" if shift else "200 OK"
    with (
        ntp(shift=shift) as server,
        run_service(tmp_path / "log", server.name) as running,
        connect(running) as client,
    ):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Wait until the service has a response of the time server.
        wait_until(lambda: '"state": ' in running.log.read_text())
        for cut in range(1, len(request())):
            client.sendall(request()[:cut])
            client.sendall(request()[cut:])
            assert receive(client)[0] == f"HTTP/1.1 {expected}"


@pytest.mark.integration
def test_a_worker_that_can_start_no_thread_serves_what_needs_one(tmp_path: Path) -> None:
    with run_worker("Full", tmp_path) as running, connect(running) as client:
        for _ in range(10):
            client.sendall(request(line="GET /now?tz=UTC HTTP/1.1"))
            assert receive(client)[0] == "HTTP/1.1 200 OK"


@pytest.mark.integration
def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    """Once its buffers are full, the lane neither waits for it nor sends half of a response."""
    with run_worker("Hasty", tmp_path) as running, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(PATIENCE)
        host, port = running.url.removeprefix("http://").split(":")
        deaf.connect((host, int(port)))
        with pytest.raises(ConnectionError):  # noqa: PT012 - when is of no interest
            while True:
                deaf.sendall(request())
                # Send one request at a time: the lane takes no others.
                time.sleep(0.002)
        with connect(running) as client:
            for _ in range(2):
                client.sendall(request())
                assert receive(client)[0] == "HTTP/1.1 200 OK"
        assert "Traceback" not in running.log.read_text()
