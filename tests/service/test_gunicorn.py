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
from tests.support.serving import CONFIG, ROOT, Running, run_service
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
    """A client keeps its connection open meanwhile, as the balancer always does."""
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


@pytest.fixture
def pair(tmp_path: Path, silent_server: str) -> Iterator[Running]:
    """Start two processes that serve."""
    arguments = ("--workers", "2", "--bind", f"127.0.0.1:{free_port()}")
    with run_service(tmp_path / "log", silent_server, *arguments) as running:
        # Each process has sent a request to the silent time server.
        wait_until(lambda: running.log.read_text().count("no response in time") == 2)
        yield running


def get_workers(running: Running) -> list[int]:
    pids = re.findall(r"Booting worker with pid: (\d+)", running.log.read_text())
    return [int(pid) for pid in pids]


def test_two_processes_share_a_port(pair: Running) -> None:
    url = f"{pair.url}/now"
    assert [requests.get(url, timeout=PATIENCE).status_code for _ in range(20)] == [200] * 20
    assert len(get_workers(pair)) == 2


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_connections_that_wait_when_processes_end_are_served(
    end: signal.Signals, pair: Running
) -> None:
    """They are served by a process that is asked to end, or by the process that replaces it."""
    workers = get_workers(pair)
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    # A thread that still ran would take the next signal.
    wait_until(lambda: all(re.search(r"State:\s*T", text) for text in read_threads(workers)))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(pair)) for _ in range(10)]
        for client in clients:
            client.sendall(b"GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
        if end is signal.SIGTERM:
            # gunicorn's first process closes its listeners, and then passes the signal on.
            pair.process.terminate()
            pending = re.compile(r"ShdPnd:\s*0*4000\b")
            wait_until(lambda: all(pending.search(text) for text in read_threads(workers)))
        for worker in workers:
            os.kill(worker, signal.SIGCONT if end is signal.SIGTERM else end)
        assert [client.recv(15) for client in clients] == [b"HTTP/1.1 200 OK"] * 10


def test_connections_are_refused_once_a_process_has_ended(pair: Running) -> None:
    """Another process, which still waits for a slow client, would accept and then reset them."""

    def is_refused() -> bool:
        try:
            connect(pair).close()
        except ConnectionRefusedError:
            return True
        return False

    with connect(pair) as slow:
        slow.sendall(b"GET /now")
        pair.process.terminate()
        wait_until(is_refused)
        # The other process has not ended yet.
        slow.sendall(b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(15) == b"HTTP/1.1 200 OK"


def read_threads(processes: list[int]) -> list[str]:
    """Return the state of each thread and the signals that are pending."""
    files = [file for pid in processes for file in Path(f"/proc/{pid}/task").glob("*/status")]
    return [file.read_text() for file in files]


def test_it_listens_where_it_is_told_and_on_the_container_s_port_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TIMESERVICE_BIND", raising=False)
    assert runpy.run_path(str(ROOT / CONFIG))["bind"] == "0.0.0.0:8080"
    monkeypatch.setenv("TIMESERVICE_BIND", "127.0.0.1:8000")
    assert runpy.run_path(str(ROOT / CONFIG))["bind"] == "127.0.0.1:8000"
