"""Send a load with an open loop: requests leave when they are due, however slow others are.

Latencies count from the moment at which a request was *due*. So a service that stalls is charged
with all requests that were due meanwhile, which a closed loop (send, wait, send) leaves out.
Nothing is retried: a connection that breaks under a request is a failed request.

`python -m drills.sender URL LOG RATE` is a process of its own, so that a drill does not hold it
up. Each line of its standard input is a new rate in requests per second. When the input ends, it
waits for the last responses and ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from drills.load import Request

# Seconds that a client waits; then its request has failed.
PATIENCE = 10.0
# At once; a client machine has ports for some tens of thousands.
MAX_CONNECTIONS = 4000


class Pending:
    """A request on its way. sent: Unix seconds at which it was written, 0 before."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.sent = 0.0
        self.connection: Connection | None = None


class Connection(asyncio.Protocol):
    """A kept-alive connection, with one request on it at a time."""

    transport: asyncio.Transport

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.pending: Pending | None = None
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def send(self, pending: Pending) -> None:
        self.pending = pending
        self.received = b""
        pending.connection = self
        pending.sent = time.time()
        self.transport.write(self.sender.message)

    def data_received(self, data: bytes) -> None:
        if self.pending is None:
            # A response without a request.
            self.transport.abort()
            return
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.lower().split(b"\r\n")
        lengths = (int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        length = next(lengths, None)
        if length is not None and len(body) < length:
            return
        pending, self.pending = self.pending, None
        self.sender.complete(pending, int(head[9:12]), body)
        lasts = length is not None and head.startswith(b"HTTP/1.1")
        if not lasts or b"connection: close" in lines:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.sender.idle.append(self)

    def connection_lost(self, trouble: Exception | None) -> None:
        self.sender.forget(self)
        pending, self.pending = self.pending, None
        if pending:
            self.sender.fail(pending, str(trouble or "the connection was closed"))


class Sender:
    """Sends requests, and writes a row for each when its result is known."""

    def __init__(self, url: str, log: IO[str]) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.message = (
            f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n"
        ).encode()
        self.log = log
        self.idle: list[Connection] = []
        # In the order in which they were sent.
        self.pending: dict[Pending, None] = {}
        self.connections = 0
        # Each opens a connection.
        self.tasks: set[asyncio.Task[None]] = set()

    def send(self, due: float) -> None:
        """Send on the idle connection that was used last, or on a new one."""
        pending = Pending(due)
        self.pending[pending] = None
        if self.idle:
            self.idle.pop().send(pending)
        elif self.connections >= MAX_CONNECTIONS:
            self.fail(pending, "no connection is left")
        else:
            self.connections += 1
            task = asyncio.ensure_future(self._open(pending))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _open(self, pending: Pending) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE):
                _, connection = await loop.create_connection(
                    lambda: Connection(self), self.host, self.port
                )
        except (OSError, TimeoutError) as trouble:
            self.connections -= 1
            reason = os.strerror(trouble.errno) if trouble.errno else "no connection in time"
            self.fail(pending, reason)
            return
        if pending in self.pending:
            connection.send(pending)
        else:
            # The client has given up meanwhile.
            self.idle.append(connection)

    def forget(self, connection: Connection) -> None:
        self.connections -= 1
        with suppress(ValueError):
            self.idle.remove(connection)

    def complete(self, pending: Pending, status: int, body: bytes) -> None:
        received = time.time()
        try:
            fields = json.loads(body)
            epoch = float(fields["epoch"])
        except (ValueError, LookupError, TypeError):
            self._end(Request(pending.due, received - pending.due, status), pending)
            return
        # The service read its clock between both moments, so its error is at least this.
        wrong = max(pending.sent - epoch, epoch - received, 0.0)
        latency = received - pending.due
        identity = (str(fields.get("instance")), str(fields.get("version")))
        self._end(Request(pending.due, latency, status, "", *identity, wrong), pending)

    def fail(self, pending: Pending, trouble: str) -> None:
        self._end(Request(pending.due, time.time() - pending.due, 0, trouble), pending)

    def _end(self, request: Request, pending: Pending) -> None:
        if pending in self.pending:
            del self.pending[pending]
            self.log.write(json.dumps(request) + "\n")

    def give_up(self) -> None:
        """Fail each request that has waited for longer than a client does."""
        late = time.time() - PATIENCE
        for pending in list(self.pending):
            if pending.due > late:
                break
            self.fail(pending, f"no response within {PATIENCE:.0f} s")
            if pending.connection and pending.connection.pending is pending:
                pending.connection.pending = None
                pending.connection.transport.abort()

    async def run(self, rates: asyncio.Queue[float | None], rate: float | None) -> None:
        """Send at `rate`, then at each rate in the queue until None; then wait for responses."""
        due = time.time()
        while rate is not None:
            now = time.time()
            while due <= now:
                self.send(due)
                due += 1 / rate
            self.give_up()
            await asyncio.sleep(max(0.0, min(due - time.time(), 0.1)))
            while not rates.empty():
                rate = rates.get_nowait()
                due = time.time()
        while self.pending:
            self.give_up()
            await asyncio.sleep(0.05)


async def _main(url: str, log: Path, rate: float) -> None:
    rates: asyncio.Queue[float | None] = asyncio.Queue()

    def read_rate() -> None:
        line = sys.stdin.readline()
        rates.put_nowait(float(line) if line else None)
        if not line:
            asyncio.get_running_loop().remove_reader(sys.stdin)

    asyncio.get_running_loop().add_reader(sys.stdin, read_rate)
    with log.open("w") as file:
        await Sender(url, file).run(rates, rate)


if __name__ == "__main__":
    # A client has a machine of its own: it must not wait for what it measures.
    with suppress(OSError):
        os.nice(-10)
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
