"""The clients that never finish a request; `make drill` runs the drills themselves."""

from __future__ import annotations

import socket

import pytest

from drills import traffic
from drills.traffic import open_connections
from drills.trial import repeat
from tests.support.waiting import PATIENCE


def test_slow_connections_send_a_byte_after_the_other_and_are_opened_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traffic, "repeat", lambda action, period: repeat(action, 0.01))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        with open_connections(server.getsockname(), 2, b"GET"):
            connections = [server.accept()[0] for _ in range(2)]
            for connection in connections:
                connection.settimeout(PATIENCE)
                assert connection.recv(3, socket.MSG_WAITALL) == b"GET"
            assert connections[0].recv(1) == b"a"
            connections[1].close()
            again, _ = server.accept()
            assert again.recv(3, socket.MSG_WAITALL) == b"GET"
        for connection in (connections[0], again):
            assert set(connection.recv(1000)) <= set(b"a")
            connection.close()
