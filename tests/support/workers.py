"""The service's worker in other forms, for tests."""

from __future__ import annotations

import socket
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from service.worker import Worker


class LaneOnly(Worker):
    """Serves by the fast lane alone: closes each connection that needs a thread."""

    def handle(self, _conn: Any) -> bool:
        return False


class ThreadsOnly(Worker):
    """Serves by the threads alone."""

    on_client_socket_readable = ThreadWorker.on_client_socket_readable


class Full(Worker):
    """Can start no thread once it serves, like a container at its limit of processes."""

    def run(self) -> None:
        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        threading.Thread.start = refuse  # type: ignore[assignment]
        super().run()


class Hasty(Worker):
    """Has a short time limit and small buffers, for fast tests."""

    time_limit = 0.3

    def handle(self, conn: Any) -> Any:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return super().handle(conn)
