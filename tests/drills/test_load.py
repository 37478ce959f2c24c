"""The load of the drills: an open loop that keeps each request, and hides no failure."""

from __future__ import annotations

import io
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from drills import load, sender
from drills.connection import Pending
from drills.load import Request

ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}"
Behaviour = Callable[[socket.socket, int], bool]  # answers a request; False: the connection ends


def answer(connection: socket.socket, epoch: float | None = None, headers: str = "") -> None:
    body = json.dumps({"epoch": epoch or time.time(), "instance": "i-1", "version": "v1"})
    connection.sendall(ANSWER.format(len(body), headers, body).encode())


def good(connection: socket.socket, number: int) -> bool:
    answer(connection)
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


def loaded(url: str) -> list[Request]:
    """What came of 50 requests a second for a good second."""
    with load.running(url, 50.0, around=0.6) as running:
        pass
    return running.requests


def test_each_request_is_kept_with_who_answered() -> None:
    with server() as url:
        kept = loaded(url)
    assert len(kept) >= 40
    assert not any(one.failed for one in kept)
    assert {(one.instance, one.version) for one in kept} == {("i-1", "v1")}
    assert all(one.wrong == 0 for one in kept)


def test_requests_are_due_at_the_rate_whatever_the_answers_take() -> None:
    def slow(connection: socket.socket, number: int) -> bool:
        time.sleep(0.5)
        return good(connection, number)

    with server(slow) as url:
        kept = loaded(url)
    gaps = [after.due - before.due for before, after in itertools.pairwise(kept)]
    assert all(gap == pytest.approx(1 / 50, abs=1e-4) for gap in gaps)
    assert len(kept) >= 40  # a closed loop would have asked twice
    assert min(one.latency for one in kept) >= 0.5


def test_a_stall_is_charged_to_all_that_would_have_been_asked_meanwhile() -> None:
    began = time.monotonic()

    def stalls(connection: socket.socket, number: int) -> bool:
        time.sleep(max(0.0, began + 2.0 - time.monotonic()))
        return good(connection, number)

    with server(stalls) as url:
        kept = loaded(url)
    waited = sorted(one.latency for one in kept)
    assert len(waited) >= 40
    assert waited[len(waited) // 2] > 0.3


def test_a_connection_that_breaks_under_a_request_is_a_failure_and_is_not_tried_again() -> None:
    asked = []

    def breaks(connection: socket.socket, number: int) -> bool:
        asked.append(number)
        return number < 3 and good(connection, number)

    with server(breaks) as url:
        kept = loaded(url)
    failed = [one for one in kept if one.failed]
    assert failed
    assert {one.trouble for one in failed} == {"the connection was closed"}
    assert len(asked) == len(kept)


def test_a_connection_that_the_server_closes_properly_is_not_used_again() -> None:
    def last(connection: socket.socket, number: int) -> bool:
        answer(connection, headers="Connection: close\r\n")
        return False

    with server(last) as url:
        kept = loaded(url)
    assert len(kept) >= 40
    assert not any(one.failed for one in kept)


def test_a_wrong_time_is_measured_whatever_the_way_took() -> None:
    def wrong(connection: socket.socket, number: int) -> bool:
        answer(connection, epoch=time.time() + 2.0)
        return True

    with server(wrong) as url:
        kept = loaded(url)
    assert all(1.5 < one.wrong <= 2.0 for one in kept)


def test_statuses_are_told_and_whatever_is_no_answer_has_its_reason() -> None:
    def unavailable(connection: socket.socket, number: int) -> bool:
        connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        return True

    with server(unavailable) as url:
        assert {one.status for one in loaded(url)} == {503}
    refused = loaded(url)
    assert refused
    assert all(one.failed and "refused" in one.trouble.lower() for one in refused)


def test_a_client_waits_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "PATIENCE", 0.1)
    told = io.StringIO()
    waiting = sender.Load("http://127.0.0.1:9/now", told)
    pending = Pending(time.time() - 0.2)
    waiting.pending[pending] = None
    waiting.give_up()
    assert not waiting.pending
    assert "no answer within" in told.getvalue()


def test_a_load_that_cannot_run_is_no_load_without_failures() -> None:
    with (
        pytest.raises(RuntimeError, match="the load ended"),
        load.running("http://[", 50.0, around=0.1),
    ):
        pass
