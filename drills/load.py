"""A load with an open loop: requests leave when they are due, however slowly others are answered, and each is kept.

Latencies count from the moment at which a request was *due*. So a service that stalls is charged with all that would
have been asked meanwhile, which a closed loop (ask, wait, ask again) leaves out. Nothing is retried: a connection that
breaks under a request is a failed request.

Run as a process of its own (`python -m drills.load URL LOG RATE`), so that a drill does not hold it up. Each line of
its standard input is a new rate in requests per second; when that ends, it waits for the answers and ends.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import urlsplit

PATIENCE = 10.0  # seconds that a client waits; then its request has failed
MAX_CONNECTIONS = 4000  # at once; a client machine has ports for some tens of thousands


class Request(NamedTuple):
    """due: Unix seconds. latency: seconds since then. status: 0 without an answer, `trouble` says why.
    wrong: seconds by which the time told was off at least, whatever the answer's way took."""

    due: float
    latency: float
    status: int
    trouble: str = ""
    instance: str = ""
    version: str = ""
    wrong: float = 0.0

    @property
    def failed(self) -> bool:
        return self.status != 200

    @classmethod
    def read(cls, row: list[str]) -> Request:
        due, latency, status, trouble, instance, version, wrong = row
        return cls(
            float(due), float(latency), int(status), trouble, instance, version, float(wrong)
        )


def read(log: Path) -> list[Request]:
    """The requests of a load that has ended, in the order in which they were due."""
    with log.open(newline="") as file:
        return sorted(Request.read(row) for row in csv.reader(file))


class Running:
    """A load in its own process, from its first request on. requests: what came of it, once it has ended."""

    def __init__(self, url: str, rate: float, log: Path) -> None:
        command = [sys.executable, "-m", "drills.load", url, str(log), str(rate)]
        self.log = log
        self.requests: list[Request] = []
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 30
        while not log.exists() and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)

    def rate(self, rate: float) -> None:
        """From now on, in requests per second."""
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        self._process.stdin.write(f"{rate}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Send no more, and wait for the answers; raises RuntimeError if the load has not run until now."""
        self._process.communicate(timeout=60)
        if self._process.returncode:
            raise RuntimeError(f"the load ended with status {self._process.returncode}")
        self.requests = read(self.log)


@contextmanager
def running(url: str, rate: float, around: float = 2.0) -> Iterator[Running]:
    """GET `url`, `rate` times a second, while the block runs, and for `around` seconds before and after."""
    with tempfile.TemporaryDirectory() as folder:
        load = Running(url, rate, Path(folder) / "load.csv")
        time.sleep(around)
        try:
            yield load
            time.sleep(around)
        finally:
            load.end()


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
        os.nice(
            -10
        )  # a client has a machine of its own; here it must not wait for what it measures
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
