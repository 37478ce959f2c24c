"""Malformed and hostile requests, to the service alone and through the local HAProxy."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import socketserver
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest

from service.app import HEADERS
from service.log import LINES_PER_MINUTE
from tests.service.abuse.__main__ import main as abuse
from tests.service.abuse.framing import SMUGGLING
from tests.service.abuse.row import get
from tests.service.abuse.wire import (
    ROWS,
    Address,
    exchange,
    find_faults,
    find_poisoning,
    format_faults,
    send_row,
    send_rows,
)
from tests.support.haproxy import Haproxy, prepare_haproxy
from tests.support.healthcheck_servers import ntp, serve
from tests.support.serving import Running, run_service
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.integration


class Loopback(NamedTuple):
    address: str = "127.0.0.1"
    healthy: bool = True


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("service") / "log"
    with ntp() as server, run_service(log, server.name) as running:
        yield running


@pytest.fixture(scope="module")
def haproxy(tmp_path_factory: pytest.TempPathFactory, service: Running) -> Iterator[Haproxy]:
    folder = tmp_path_factory.mktemp("haproxy")
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        prepare_haproxy(monkeypatch, folder, address(service)[1]) as haproxy,
    ):
        haproxy.start()
        haproxy.check(Loopback())
        yield haproxy


def address(of: Running | Haproxy) -> Address:
    host, port = of.url.removeprefix("http://").split(":")
    return host, int(port)


def connect(to: Running | Haproxy) -> socket.socket:
    return socket.create_connection(address(to), timeout=PATIENCE)


def check_unharmed(service: Running) -> None:
    """The worker is the one that was started, and every line of the log is one of ours."""
    lines = service.log.read_text().splitlines()
    assert sum("Booting worker" in line for line in lines) == 1
    assert {json.loads(line)["level"] for line in lines} <= {"info", "warning"}
    assert [line for line in lines if not line.isprintable()] == []


def test_the_service_alone_answers_every_abuse_as_it_shall_and_goes_on(service: Running) -> None:
    assert format_faults(send_rows(address(service), balanced=False)) == ""
    check_unharmed(service)
    said = service.log.read_text()
    assert '"message": "refused a request", "status": 400, "reason": "' in said
    assert (
        said.count("refused a request") <= 2 * LINES_PER_MINUTE
    )  # two minutes' worth, of hundreds


def test_through_a_balancer_it_does_as_well(service: Running, haproxy: Haproxy) -> None:
    results = send_rows(address(haproxy), balanced=True)
    assert format_faults(results) == ""
    assert [result.row.name for result in results if re.search(r"\b5\d\d", result.outcome)] == []
    check_unharmed(service)
    assert haproxy.server(Loopback()).healthy


def test_a_smuggled_request_never_answers_somebody_else(haproxy: Haproxy) -> None:
    assert [
        trouble for row in SMUGGLING if (trouble := find_poisoning(row, address(haproxy)))
    ] == []


def test_what_is_no_http_is_refused_in_the_form_of_all_errors(service: Running) -> None:
    for sent, status in {
        b"GARBAGE\r\n\r\n": b"400 Bad Request",
        get("/" + "x" * 9_000): b"414 ",
        get("/now", "X: " + "x" * 9_000): b"431 Request Header Fields Too Large",
        get("/now", "Expect: wonders"): b"417 Expectation Failed",
        get("/now", "Transfer-Encoding: cow"): b"400 Bad Request",
    }.items():
        _, got = exchange(address(service), sent)
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status)
        assert re.fullmatch(rb'\{"error": \{"status": %s, "message": ".+"\}\}\n' % status[:3], body)
        for name, value in {**HEADERS, "Connection": "close", "Content-Length": len(body)}.items():
            assert f"\r\n{name}: {value}".encode() in head


HALF = [b"", b"G", b"GET /now HTTP/1.1\r\nHost: x\r\n", b"GET /now HTTP/1.1\r\nHost: x\r\nX: y"]


def test_heads_that_never_end_are_cut_off_and_keep_nobody_waiting(tmp_path: Path) -> None:
    """There is such a request for each thread, and each sends another byte now and then."""
    hasty = ("--worker-class", "tests.support.workers.Hasty")
    with (
        ntp() as server,
        run_service(tmp_path / "log", server.name, *hasty) as running,
        contextlib.ExitStack() as stack,
    ):
        clients = [stack.enter_context(connect(running)) for _ in HALF]
        for client, head in zip(clients, HALF, strict=True):
            client.sendall(head)
        with ThreadPoolExecutor(1) as pool:
            honest = pool.submit(find_faults, address(running))
            while not honest.done():
                for client in clients[1:]:
                    # The client may be cut off by now.
                    with contextlib.suppress(OSError):
                        client.sendall(b"x")
                time.sleep(0.05)
        assert honest.result() == []
        for client in clients:
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
        assert "Traceback" not in running.log.read_text()


def test_answers_that_nobody_reads_are_cut_off(tmp_path: Path) -> None:
    """A client that never reads would otherwise hold a thread once all buffers are full."""
    hasty = ("--worker-class", "tests.support.workers.Hasty")
    with (
        ntp() as server,
        run_service(tmp_path / "log", server.name, *hasty) as running,
        socket.socket() as deaf,
    ):
        # Larger buffers would take megabytes.
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(PATIENCE)
        deaf.connect(address(running))
        with pytest.raises(ConnectionError):  # noqa: PT012 - when is of no interest
            while True:
                deaf.sendall(get("/now") * 100)
        assert find_faults(address(running)) == []


class Late(socketserver.BaseRequestHandler):
    """Gives up a client that closes its side before the response, which is late."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.request.settimeout(1)
        with contextlib.suppress(TimeoutError):
            if not self.request.recv(65536):
                return
        self.request.sendall(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")


def test_an_interim_response_is_not_taken_for_the_response() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Late) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        request = get("/now", "Expect: 100-continue", "Content-Length: 9")
        outcome, _ = exchange(("127.0.0.1", server.server_address[1]), request)
        server.shutdown()
    assert outcome == "100 405"


class Naive(socketserver.BaseRequestHandler):
    """A server with every fault: it ignores bodies, echoes its input, and names its software."""

    def handle(self) -> None:
        while piece := self.request.recv(100_000):
            for head in piece.split(b"\r\n\r\n")[:-1]:
                self.request.sendall(b"HTTP/1.1 200 OK\r\nServer: Python/3.11\r\n\r\n" + head)


def test_a_server_with_these_faults_is_found_out() -> None:
    naive = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Naive)
    naive.daemon_threads = True
    rows = {row.name: row for row in ROWS}
    with naive, serve(naive):
        where = ("127.0.0.1", naive.server_address[1])
        found = {
            name: send_row(rows[name], where, balanced=True).faults
            for name in ("CL.TE", "/health itself", "/<script>zq9</script>", "two requests at once")
        }
    assert found["CL.TE"][0].startswith("200 200 200, not 400|405")
    assert found["/health itself"][0].startswith("200, not 404")
    assert found["/<script>zq9</script>"][1].startswith("comes back")
    assert found["two requests at once"][0] == "leaks b'Python/3'"
    assert all("an honest request gets" in faults[-1] for faults in found.values())


def test_the_command_prints_a_line_for_each_row_and_what_became_of_all(
    service: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert abuse(["--url", service.url, "--alone", "--only", "TRACE"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[:3] == ["ok", "405", "TRACE"]
    assert printed[-1].endswith("0 with a wrong outcome")
    # Without --alone, the command expects the outcomes behind a balancer.
    assert abuse(["--url", service.url, "--only", "/health itself"]) == 1
    assert capsys.readouterr().out.startswith("WRONG 200 ")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://x.example", "is no URL"),
        ("http://[", "Invalid IPv6 URL"),
        ("http://x:y", "Port could not be cast"),
        ("http://127.0.0.1:1", "there is no time service: [Errno 111] Connection refused"),
    ],
)
def test_the_command_says_what_is_wrong_with_where_it_is_sent(
    url: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert abuse(["--url", url]) == 2
    assert message in capsys.readouterr().err


def test_the_table_is_as_large_as_it_is_said_to_be_and_each_name_stands_for_one_row() -> None:
    assert len(ROWS) > 400
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert not any(re.search(r"\b5\d\d", row.alone) for row in ROWS)
