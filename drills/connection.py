"""A connection of the load's, and the request on it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drills.sender import Load


class Pending:
    """A request on its way. sent: Unix seconds at which it was written, 0 before."""

    def __init__(self, due: float) -> None:
        self.due, self.sent, self.done = due, 0.0, False
        self.connection: Connection | None = None


class Connection(asyncio.Protocol):
    """One kept-alive connection, with one request on it at a time."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.transport: asyncio.Transport | None = None
        self.pending: Pending | None = None
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self.transport = transport

    def send(self, pending: Pending) -> None:
        assert self.transport  # noqa: S101 - only what is connected sends
        self.pending, self.received = pending, b""
        pending.connection, pending.sent = self, time.time()
        self.transport.write(self.load.message)

    def data_received(self, data: bytes) -> None:
        if self.pending is None:
            return self.abort()  # an answer that nobody asked for
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        lines = head.lower().split(b"\r\n")
        length = next((int(one[15:]) for one in lines if one.startswith(b"content-length:")), None)
        if length is None or len(body) >= length:
            pending, self.pending = self.pending, None
            self.load.answered(pending, int(head[9:12]), body)
            lasts = length is not None and head.startswith(b"HTTP/1.1")
            if not lasts or b"connection: close" in lines:
                self.abort()
            elif self.transport and not self.transport.is_closing():
                self.load.idle.append(self)
        return None

    def connection_lost(self, trouble: Exception | None) -> None:
        self.load.lost(self)
        pending, self.pending = self.pending, None
        if pending:
            self.load.failed(pending, str(trouble or "the connection was closed"))

    def abort(self) -> None:
        if self.transport:
            self.transport.abort()
