"""The service's worker with a short time limit and small buffers, for fast tests."""

from __future__ import annotations

import socket
from typing import Any

from service.worker import Worker


class Hasty(Worker):
    time_limit = 0.3

    def handle(self, conn: Any) -> Any:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return super().handle(conn)
