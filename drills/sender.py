"""Send a load with an open loop: requests leave when they are due, however slow others are.

Latencies count from the moment at which a request was *due*. So a service that stalls is charged
with all requests that were due meanwhile, which a closed loop (send, wait, send) leaves out.
Nothing is retried: a connection that breaks under a request is a failed request.

`python -m drills.sender URL LOG RATE` is a process of its own, so that a drill does not hold it
up. When its standard input ends, it waits for the last responses and ends.
"""

import asyncio
import json
import os
import re
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import uvloop

from drills.load import Request

# Seconds that a client waits; then its request has failed.
PATIENCE = 10.0
# Connections at once. A client machine has ports for some tens of thousands.
MAX_CONNECTIONS = 4000
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n")


class Sender:
    """Sends requests, and writes a row for each when its result is known."""

    def __init__(self, url: str, log: IO[str]) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname, parts.port or 80)
        self.message = (
            f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n"
        ).encode()
        self.log = log
        # Kept-alive connections, the last one used at the end.
        self.idle: list[socket.socket] = []
        # Requests on their way. Each has a connection.
        self.pending = 0

    async def send(self, due: float) -> None:
        """Send a request that is due then, in Unix seconds, and write its result."""
        status, trouble = 0, ""
        results: dict[str, Any] = {}
        self.pending += 1
        try:
            if self.pending > MAX_CONNECTIONS:
                raise ConnectionError("no connection is left")
            async with asyncio.timeout(due + PATIENCE - time.time()):
                status, results = await self._exchange()
        # In this order, because a TimeoutError is an OSError.
        except TimeoutError:
            trouble = f"no response within {PATIENCE:.0f} s"
        except OSError as error:
            trouble = os.strerror(error.errno) if error.errno else str(error)
        except ValueError as error:
            trouble = str(error)
        self.pending -= 1
        request = Request(due, time.time() - due, status, trouble, **results)
        self.log.write(json.dumps(request) + "\n")

    async def _exchange(self) -> tuple[int, dict[str, Any]]:
        """Return the status of a response, and what its body shows.

        Raises OSError if the connection breaks, ValueError if the response is not HTTP.
        """
        loop = asyncio.get_running_loop()
        connection = self._take_idle()
        try:
            if connection is None:
                connection = socket.socket()
                connection.setblocking(False)
                await loop.sock_connect(connection, self.address)
            sent = time.time()
            await loop.sock_sendall(connection, self.message)
            head, body, is_kept = await read_response(connection)
            status, results = int(head[9:12]), read_body(body, sent, time.time())
            if is_kept:
                self.idle.append(connection)
                connection = None
            return status, results
        finally:
            if connection:
                connection.close()

    def _take_idle(self) -> socket.socket | None:
        """Return the connection that was used last and is still good, or None."""
        while self.idle:
            connection = self.idle.pop()
            try:
                connection.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return connection
            except OSError:
                pass
            # The server has closed it, or sent a response without a request.
            connection.close()
        return None

    async def run(self, rate: float, ended: asyncio.Future[Any]) -> None:
        """Send `rate` requests per second until `ended` is done; then wait for responses."""
        due = time.time()
        async with asyncio.TaskGroup() as requests:
            while not ended.done():
                while due <= time.time():
                    requests.create_task(self.send(due))
                    due += 1 / rate
                await asyncio.sleep(max(0.0, min(due - time.time(), 0.1)))


async def read_response(connection: socket.socket) -> tuple[bytes, bytes, bool]:
    """Return head and body of a response, and whether the connection may be used again."""
    loop = asyncio.get_running_loop()
    received = b""
    while True:
        data = await loop.sock_recv(connection, 65536)
        received += data
        head, separator, body = received.partition(b"\r\n\r\n")
        head = head.lower() + b"\r\n"
        length = LENGTH.search(head) if separator else None
        if length and len(body) >= int(length[1]):
            is_kept = head.startswith(b"http/1.1") and b"\r\nconnection: close\r\n" not in head
            return head, body, is_kept
        if not data and separator and not length:
            return head, body, False
        if not data:
            raise ConnectionError("the connection was closed")


def read_body(body: bytes, sent: float, received: float) -> dict[str, Any]:
    """Return what a body shows of the host, and by how much its time is wrong; {} without a time.

    sent, received: Unix seconds of the request and of its response.
    """
    try:
        fields = json.loads(body)
        epoch = float(fields["epoch"])
    except (ValueError, LookupError, TypeError):
        return {}
    # The service read its clock between both moments, so its error is at least this.
    wrong = max(sent - epoch, epoch - received, 0.0)
    identity = {key: str(fields.get(key)) for key in ("instance", "version")}
    return {**identity, "wrong": wrong}


async def main(url: str, log: Path, rate: float) -> None:
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    with log.open("w") as file:
        await Sender(url, file).run(rate, ended)


if __name__ == "__main__":
    # A client has a machine of its own: it must not wait for what it measures.
    with suppress(OSError):
        os.nice(-10)
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
