"""HAProxy itself treats requests as an ALB does, with hosts of the tests on loopback."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from local.cloud import balancer, balancer_config
from tests.support.haproxy import Haproxy, prepare_haproxy
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.integration

ADDRESSES = ("127.0.0.2", "127.0.0.3")
NOBODY = "127.0.0.4"  # nothing listens there


class Host(ThreadingHTTPServer):
    """A host that is unhealthy at first; it keeps the requests that it gets, but for its checks."""

    daemon_threads = True

    def __init__(self, address: str, port: int) -> None:
        super().__init__((address, port), Answer)
        self.address = address
        self.healthy = False
        self.status = 200  # the status of all responses except to checks
        self.requests: list[Any] = []  # headers
        self.most = 0  # requests that came on the same connection
        self.cuts = False  # whether it closes connections without a response
        self.hold: threading.Event | None = None  # responses wait until this is set
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def handle_error(self, *_: Any) -> None:
        """Print nothing: HAProxy ends each check with a reset."""


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Host
    requests_here = 0  # on this connection

    def do_GET(self) -> None:
        check = self.path == "/health"
        if not check:
            self.server.requests.append(self.headers)
            self.requests_here += 1
            self.server.most = max(self.server.most, self.requests_here)
            if self.server.hold:
                self.server.hold.wait(PATIENCE)
            if self.server.cuts:
                self.close_connection = True
                return
        healthy = 200 if self.server.healthy else 503
        self.send_response(healthy if check else self.server.status)
        self.send_header("Content-Length", str(len(self.server.address)))
        self.end_headers()
        self.wfile.write(self.server.address.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    """Two hosts on the same port."""
    with ExitStack() as stack:
        hosts: list[Host] = []
        while not hosts:
            first = Host(ADDRESSES[0], 0)
            with suppress(OSError):
                hosts = [first, Host(ADDRESSES[1], first.server_port)]
            for host in hosts or [first]:
                stack.callback(host.server_close)
                stack.callback(host.shutdown)
        yield hosts


@pytest.fixture
def haproxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hosts: list[Host]
) -> Iterator[Haproxy]:
    with prepare_haproxy(monkeypatch, tmp_path, hosts[0].server_port) as haproxy:
        yield haproxy


def test_requests_go_to_the_healthy_and_to_all_when_none_is(
    haproxy: Haproxy, hosts: list[Host]
) -> None:
    first, second = hosts
    haproxy.start()
    haproxy.check(first, second)
    assert haproxy.answers() == set(ADDRESSES)
    first.healthy = True
    wait_until(lambda: haproxy.server(first).healthy)
    assert haproxy.answers() == {first.address}
    first.healthy, second.healthy = False, True
    wait_until(lambda: haproxy.server(first).unhealthy and haproxy.server(second).healthy)
    assert haproxy.answers() == {second.address}
    second.healthy = False
    wait_until(lambda: haproxy.server(second).unhealthy)
    assert haproxy.answers() == set(ADDRESSES)


def test_without_a_target_the_answer_is_503_and_other_paths_are_answered_all_the_same(
    haproxy: Haproxy,
) -> None:
    haproxy.start()
    assert [haproxy.get(path).status_code for path in ("/now", "/", "/health")] == [503, 503, 404]


def test_a_request_that_a_host_drops_is_not_asked_again_of_another(
    haproxy: Haproxy, hosts: list[Host]
) -> None:
    haproxy.start()
    hosts[0].cuts = True
    haproxy.check(*hosts)
    statuses = sorted(haproxy.get().status_code for _ in range(4))
    assert statuses == [200, 200, 502, 502]
    assert [len(host.requests) for host in hosts] == [2, 2]


def test_clients_share_a_connection_to_a_host(haproxy: Haproxy, hosts: list[Host]) -> None:
    haproxy.start()
    balancer.register(hosts[0].address)

    def has_shared() -> bool:
        assert haproxy.get().status_code == 200
        return hosts[0].most > 1

    wait_until(has_shared)


def test_a_host_that_refuses_is_a_502(haproxy: Haproxy) -> None:
    haproxy.start()
    balancer.register(NOBODY)
    answer = haproxy.get()
    assert (answer.status_code, answer.text) == (502, "the target does not accept connections")


def test_what_a_host_says_itself_is_passed_on(haproxy: Haproxy, hosts: list[Host]) -> None:
    haproxy.start()
    balancer.register(hosts[0].address)
    hosts[0].status = 503
    answer = haproxy.get()
    assert (answer.status_code, answer.text) == (503, hosts[0].address)


def test_errors_are_counted_as_the_host_s_or_as_the_balancer_s(
    haproxy: Haproxy, hosts: list[Host]
) -> None:
    haproxy.start()
    for path in (
        "/now",
        "/nowhere",
    ):  # without a target, /now is a 503 of the balancer; a 404 is no error
        haproxy.get(path)
    balancer.register(hosts[0].address)
    haproxy.get()
    hosts[0].status = 500
    assert [haproxy.get().status_code for _ in range(3)] == [500] * 3
    balancer.drain(haproxy.server(hosts[0]))
    hosts[1].cuts = True
    balancer.register(hosts[1].address)
    assert haproxy.get().status_code == 502
    assert balancer.count_errors() == {"HTTPCode_Target_5XX_Count": 3, "HTTPCode_ELB_5XX_Count": 2}


def test_a_host_that_does_not_accept_is_a_504(
    haproxy: Haproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balancer_config, "CONNECT_MS", 300)
    haproxy.start()
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind((NOBODY, haproxy.aws.target_group["Port"]))
        full.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        balancer.register(NOBODY)
        assert haproxy.get().status_code == 504


def test_a_host_that_does_not_answer_within_the_idle_timeout_is_a_504(
    haproxy: Haproxy, hosts: list[Host]
) -> None:
    haproxy.change(idle_timeout__timeout_seconds="1")
    haproxy.start()
    hosts[0].hold = threading.Event()
    balancer.register(hosts[0].address)
    assert haproxy.get().status_code == 504
    hosts[0].hold.set()


TRACE = "1-[0-9a-f]{8}-[0-9a-f]{24}"
PORT = r"[1-9]\d+"
# Headers as they are sent, and patterns of those that the host receives.
HEADERS: list[tuple[dict[str, str], dict[str, str | None]]] = [
    ({}, {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Port": PORT}),
    ({"X-Forwarded-For": "192.0.2.1, ::1"}, {"X-Forwarded-For": "192.0.2.1, ::1, 127.0.0.1"}),
    ({"X-Forwarded-Proto": "https"}, {"X-Forwarded-Proto": "http"}),
    ({"X-Forwarded-Port": "0"}, {"X-Forwarded-Port": PORT}),
    ({}, {"X-Amzn-Trace-Id": f"Root={TRACE}"}),
    (
        {"X-Amzn-Trace-Id": "Root=1-2-3;App=4"},
        {"X-Amzn-Trace-Id": f"Self={TRACE};Root=1-2-3;App=4"},
    ),
    ({"X-Amzn-Trace-Id": "Self=5;Root=1-2-3"}, {"X-Amzn-Trace-Id": f"Self={TRACE};Root=1-2-3"}),
    (
        {"Content_Length": "7", "X.Y": "8", "X-1": "9"},
        {"Content_Length": None, "X.Y": None, "X-1": "9"},
    ),
    ({"X-Large": "x" * 40_000}, {"X-Large": "x{40000}"}),
]


def test_headers_reach_the_host_as_from_an_alb(haproxy: Haproxy, hosts: list[Host]) -> None:
    haproxy.start()
    balancer.register(hosts[0].address)
    for sent, received in HEADERS:
        assert haproxy.get(headers=sent).status_code == 200
        for name, pattern in received.items():
            (value,) = hosts[0].requests[-1].get_all(name, [None])
            assert value is None if pattern is None else re.fullmatch(pattern, value), (sent, value)


def test_more_than_thirty_addresses_in_x_forwarded_for_are_refused(
    haproxy: Haproxy, hosts: list[Host]
) -> None:
    haproxy.start()
    balancer.register(hosts[0].address)
    for number, status in {30: 200, 31: 463}.items():
        addresses = ", ".join(["192.0.2.1"] * number)
        assert haproxy.get(headers={"X-Forwarded-For": addresses}).status_code == status


def test_an_old_connection_is_closed_after_its_answer(haproxy: Haproxy) -> None:
    haproxy.start()
    assert "Connection" not in haproxy.get("/other").headers
    haproxy.change(client_keep_alive__seconds="0")
    haproxy.apply()
    assert haproxy.get("/other").headers["Connection"] == "close"


def test_a_host_that_leaves_finishes_what_it_has_and_gets_nothing_new(
    haproxy: Haproxy, hosts: list[Host]
) -> None:
    leaving, staying = hosts
    leaving.hold = threading.Event()
    haproxy.start()
    haproxy.check(leaving)
    answers: list[requests.Response] = []
    client = threading.Thread(target=lambda: answers.append(haproxy.get()))
    client.start()
    wait_until(lambda: leaving.requests)
    balancer.register(staying.address)
    balancer.drain(haproxy.server(leaving))
    assert haproxy.server(leaving).draining
    assert haproxy.answers() == {staying.address}
    assert haproxy.server(leaving).sessions == 1
    leaving.hold.set()
    client.join()
    assert answers[0].text == leaving.address
    wait_until(lambda: haproxy.server(leaving).sessions == 0)
    balancer.free_slot(haproxy.server(leaving))
    assert list(balancer.list_servers()) == [staying.address]


def test_a_host_that_leaves_gets_nothing_when_it_is_the_last_one(
    haproxy: Haproxy, hosts: list[Host]
) -> None:
    haproxy.start()
    haproxy.check(hosts[0])
    balancer.drain(haproxy.server(hosts[0]))
    assert haproxy.get().status_code == 503


def test_a_new_configuration_leaves_every_host_what_it_is(
    haproxy: Haproxy, hosts: list[Host]
) -> None:
    haproxy.start()
    hosts[0].healthy = True
    haproxy.check(*hosts)
    before = {host.address: haproxy.server(host).slot for host in hosts}
    haproxy.change(idle_timeout__timeout_seconds="61")
    haproxy.apply()
    assert haproxy.answers() == {hosts[0].address}
    assert {host.address: haproxy.server(host).slot for host in hosts} == before
    hosts[0].healthy = False
    wait_until(lambda: haproxy.server(hosts[0]).unhealthy)
    assert haproxy.answers() == set(ADDRESSES)


def test_more_places_leave_every_host_what_it_is(haproxy: Haproxy, hosts: list[Host]) -> None:
    haproxy.start()
    hosts[1].healthy = True
    haproxy.check(*hosts)
    haproxy.slots = 20
    haproxy.apply()
    assert haproxy.answers() == {hosts[1].address}
    wait_until(lambda: len(balancer._list_slots()) == 20)
    assert set(balancer.list_servers()) == set(ADDRESSES)


def test_a_balancer_that_was_killed_serves_as_soon_as_it_knows_of_hosts(
    haproxy: Haproxy, hosts: list[Host]
) -> None:
    haproxy.start()
    haproxy.check(*hosts)
    haproxy.stop()
    haproxy.start()
    assert balancer.list_servers() == {}
    hosts[0].healthy = hosts[1].healthy = True
    for host in hosts:
        balancer.register(host.address)
    assert haproxy.answers() == set(ADDRESSES)
    wait_until(lambda: all(haproxy.server(host).healthy for host in hosts))
