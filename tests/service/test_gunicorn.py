"""The service under gunicorn with its configuration, on a free port, ended by a signal."""

from __future__ import annotations

import contextlib
import os
import re
import runpy
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.machine import free_port
from tests.support.serving import CONFIG, ROOT, Running, run_service, start
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def silent_server() -> Iterator[str]:
    """A time server that takes questions and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{silent.getsockname()[1]}"


@pytest.fixture(
    params=[(), ("--bind", "127.0.0.1:0", "service.app:create_app()")],
    ids=["configured", "command line"],
)
def running(
    request: pytest.FixtureRequest, tmp_path: Path, silent_server: str
) -> Iterator[Running]:
    with run_service(tmp_path / "log", silent_server, *request.param) as running:
        yield running


def test_it_serves_and_ends_when_it_is_asked_to(running: Running) -> None:
    """Also while a client keeps its connection open: the balancer always does."""
    with requests.Session() as session:
        session.trust_env = False
        before = time.time()
        first = session.get(f"{running.url}/now", timeout=PATIENCE)
        assert first.status_code == 200
        assert before - 1e-6 <= first.json()["epoch"] <= time.time()
        assert first.headers["Connection"] == "keep-alive"
        # The application runs its monitor, which has noticed that the time server is silent.
        wait_until(lambda: trouble(session, running))
        assert trouble(session, running) == "no response in time"
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=PATIENCE) == 0
    assert "Traceback" not in running.log.read_text()


def trouble(session: requests.Session, running: Running) -> object:
    return session.get(f"{running.url}/health", timeout=PATIENCE).json()["clock"]["trouble"]


@pytest.mark.parametrize("drip", [False, True], ids=["silent", "dripping"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_slow_bodies_do_not_keep_the_balancer_from_its_answer(
    drip: bool, method: str, running: Running
) -> None:
    """gunicorn would wait for each body for five seconds: 40 of them in 4 threads take 50 s."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(running)) for _ in range(40)]
        for client in clients:
            client.sendall(
                f"{method} /now HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n".encode()
            )
        for _ in range(5 * drip):
            time.sleep(0.1)
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(b"x")
        requests.get(f"{running.url}/health", timeout=PATIENCE)
        response = clients[0].recv(4096)
    assert response.startswith(b"HTTP/1.1 405 " if method == "POST" else b"HTTP/1.1 200 OK")
    assert "Traceback" not in running.log.read_text()


@pytest.mark.parametrize("line", [b"GET /now HTTP/1.1", b"GARBAGE"], ids=["served", "refused"])
def test_clients_that_do_not_hang_up_keep_nobody_waiting(line: bytes, running: Running) -> None:
    with contextlib.ExitStack() as stack:
        # gunicorn would wait for each of them for two seconds, in the main thread.
        for _ in range(50):
            client = stack.enter_context(connect(running))
            client.sendall(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert requests.get(f"{running.url}/now", timeout=PATIENCE).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_comes_in_one_piece_and_is_not_held_back(method: str, running: Running) -> None:
    """The kernel holds for 200 ms at least. One fast response of 100 shows that it does not."""
    with connect(running) as client:
        for _ in range(100):
            start = time.monotonic()
            client.sendall(f"{method} /now HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            answer = client.recv(4096)
            seconds = time.monotonic() - start
            assert answer.endswith(b"}\n" if method == "GET" else b"\r\n\r\n")
            if seconds < 0.15:
                return
    pytest.fail("each response was held back")


def connect(running: Running) -> socket.socket:
    host, port = running.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def test_it_is_configured_for_one_small_host_behind_a_balancer() -> None:
    config = runpy.run_path(str(ROOT / CONFIG))
    assert (config["workers"], config["threads"]) == (2, 4)
    assert (config["keepalive"], config["graceful_timeout"]) == (75, 20)
    assert config["worker_tmp_dir"] == "/dev/shm"  # noqa: S108 - the setting's own value
    assert not config.get("preload_app")


def test_two_processes_share_a_port(tmp_path: Path, silent_server: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = start(file, silent_server, "--workers", "2", "--reuse-port", "--bind", address)
        try:
            wait_until(lambda: log.read_text().count("Booting worker") == 2)
            statuses: list[int] = []

            def ask() -> bool:
                with contextlib.suppress(requests.ConnectionError):  # not yet
                    response = requests.get(f"http://{address}/now", timeout=PATIENCE)
                    statuses.append(response.status_code)
                return len(statuses) == 20

            wait_until(ask)
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)
    assert log.read_text().count("Booting worker") == 2
    assert statuses == [200] * 20


def test_connections_that_wait_at_the_end_of_a_worker_are_served(
    tmp_path: Path, silent_server: str
) -> None:
    port, log = free_port(), tmp_path / "log"
    with log.open("wb") as file, contextlib.ExitStack() as stack:
        process = start(file, silent_server, "--reuse-port", "--bind", f"127.0.0.1:{port}")
        stack.callback(process.wait, timeout=PATIENCE)
        stack.callback(process.terminate)
        running = Running(process, f"http://127.0.0.1:{port}", log)

        def is_serving() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{running.url}/now", timeout=PATIENCE).ok
            return False

        wait_until(is_serving)
        (worker,) = map(int, re.findall(r"Booting worker with pid: (\d+)", log.read_text()))
        os.kill(worker, signal.SIGSTOP)
        clients = [stack.enter_context(connect(running)) for _ in range(10)]
        for client in clients:
            client.sendall(b"GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
        os.kill(worker, signal.SIGTERM)
        os.kill(worker, signal.SIGCONT)
        assert [client.recv(15) for client in clients] == [b"HTTP/1.1 200 OK"] * 10


def test_it_listens_where_it_is_told_and_on_the_container_s_port_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TIMESERVICE_BIND", raising=False)
    assert runpy.run_path(str(ROOT / CONFIG))["bind"] == "0.0.0.0:8080"
    monkeypatch.setenv("TIMESERVICE_BIND", "127.0.0.1:8000")
    assert runpy.run_path(str(ROOT / CONFIG))["bind"] == "127.0.0.1:8000"
