"""Sends a load with an open loop: requests leave when they are due, however slowly others are answered.

Latencies count from the moment at which a request was *due*. So a service that stalls is charged with all that would
have been asked meanwhile, which a closed loop (ask, wait, ask again) leaves out. Nothing is retried: a connection that
breaks under a request is a failed request.

`python -m drills.sender URL LOG RATE`, in a process of its own, so that a drill does not hold it up. Each line of its
standard input is a new rate in requests per second; when that ends, it waits for the answers and ends.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from drills.connection import Connection, Pending
from drills.load import Request

PATIENCE = 10.0  # seconds that a client waits; then its request has failed
MAX_CONNECTIONS = 4000  # at once; a client machine has ports for some tens of thousands


class Load:
    """Sends, and writes a row for each request when its fate is known."""

    def __init__(self, url: str, log: IO[str]) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.message = (
            f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n"
        ).encode()
        self.rows = csv.writer(log)
        self.idle: list[Connection] = []
        self.pending: dict[Pending, None] = {}  # in the order of their sending
        self.connections = 0
        self.tasks: set[asyncio.Task[None]] = set()  # that open connections

    def send(self, due: float) -> None:
        """Send on an idle connection, the one used last first; on a new one if there is none."""
        pending = Pending(due)
        self.pending[pending] = None
        if self.idle:
            self.idle.pop().send(pending)
        elif self.connections >= MAX_CONNECTIONS:
            self.failed(pending, "no connection is left")
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
            self.failed(pending, reason)
            return
        if pending.done:  # its time was over first
            self.idle.append(connection)
        else:
            connection.send(pending)

    def lost(self, connection: Connection) -> None:
        self.connections -= 1
        with suppress(ValueError):
            self.idle.remove(connection)

    def answered(self, pending: Pending, status: int, body: bytes) -> None:
        received = time.time()
        try:
            told = json.loads(body)
            epoch = float(told["epoch"])
        except (ValueError, LookupError, TypeError):
            self._end(Request(pending.due, received - pending.due, status), pending)
            return
        # Read between both moments: true time minus the time told lies between these differences.
        wrong = max(pending.sent - epoch, epoch - received, 0.0)
        latency = received - pending.due
        identity = (str(told.get("instance")), str(told.get("version")))
        self._end(Request(pending.due, latency, status, "", *identity, wrong), pending)

    def failed(self, pending: Pending, trouble: str) -> None:
        self._end(Request(pending.due, time.time() - pending.due, 0, trouble), pending)

    def _end(self, request: Request, pending: Pending) -> None:
        if not pending.done:
            pending.done = True
            del self.pending[pending]
            self.rows.writerow(request)

    def give_up(self) -> None:
        """Fail what has waited for longer than a client does."""
        late = time.time() - PATIENCE
        for pending in list(self.pending):
            if pending.due > late:
                break
            self.failed(pending, f"no answer within {PATIENCE:.0f} s")
            if pending.connection and pending.connection.pending is pending:
                pending.connection.pending = None
                pending.connection.abort()

    async def run(self, rates: asyncio.Queue[float | None], rate: float | None) -> None:
        """Send at `rate`, then at what the queue says, until that is None; then wait for the answers."""
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

    def told() -> None:
        line = sys.stdin.readline()
        rates.put_nowait(float(line) if line else None)
        if not line:
            asyncio.get_running_loop().remove_reader(sys.stdin)

    asyncio.get_running_loop().add_reader(sys.stdin, told)
    with log.open("w", newline="") as file:
        await Load(url, file).run(rates, rate)


if __name__ == "__main__":
    with suppress(OSError):
        os.nice(-10)  # a client has a machine of its own: it must not wait for what it measures
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
