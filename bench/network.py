"""Relays on this machine, which hold back what passes through them as long as a path would.

So paths need neither root nor network namespaces, nor the kernel's netem. What a relay adds of its own is about a
millisecond: it makes a path longer than it says, never shorter.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import selectors
import socket
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

from bench.paths import Path, Way

HERE = "127.0.0.1"
LARGEST = 65536  # bytes that are read at a time


@contextlib.contextmanager
def network(chance: random.Random) -> Iterator[Network]:
    """A network of which nothing is left when the context ends. `chance` decides on jitter and loss."""
    # select() waits by the microsecond; epoll, asyncio's default, by the millisecond.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = Network(loop, chance)
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(_all_cancelled(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        made.close()


async def _all_cancelled() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Network:
    """Relays, all in one thread of their own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, chance: random.Random) -> None:
        self._loop, self._chance = loop, chance
        self._opened = contextlib.ExitStack()

    def tcp(self, path: Path, port: int) -> int:
        """The port at whose far end, behind the path, is `port` of this machine."""
        return self._run(self._tcp(path, port))

    def udp(self, path: Path, port: int) -> int:
        """The same for datagrams."""
        return self._run(self._udp(path, port))

    def close(self) -> None:
        """Once the loop has ended."""
        self._opened.close()

    def _run(self, opening: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(opening, self._loop).result()

    def _ways(self, path: Path) -> tuple[Way, Way]:
        # Chances of their own: which of two connections is served first must not change what becomes of either.
        out, back = (random.Random(self._chance.random()) for _ in range(2))
        return Way(path, path.out, out), Way(path, path.back, back)

    async def _tcp(self, path: Path, port: int) -> int:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
                out, back = self._ways(path)
                # The kernel has accepted already; this is how long it would have taken until the client knew.
                there = out.segment(self._loop.time(), first=True)
                await self._until(back.segment(there, first=True))
                far_reader, far_writer = await asyncio.open_connection(HERE, port)
                with contextlib.closing(far_writer):
                    await asyncio.gather(
                        self._pass_on(reader, far_writer, out),
                        self._pass_on(far_reader, writer, back),
                    )

        listening = self._socket(socket.SOCK_STREAM)
        await asyncio.start_server(relay, sock=listening)
        return int(listening.getsockname()[1])

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way
    ) -> None:
        """Until the sender hangs up."""
        while data := await reader.read(LARGEST):
            self._loop.call_at(way.segment(self._loop.time()), writer.write, data)
        await self._until(way.segment(self._loop.time()))
        writer.close()

    async def _until(self, moment: float) -> None:
        await asyncio.sleep(moment - self._loop.time())

    async def _udp(self, path: Path, port: int) -> int:
        out, back = self._ways(path)
        near = self._socket(socket.SOCK_DGRAM)

        def asked() -> None:
            data, client = near.recvfrom(LARGEST)
            if (takes := out.datagram()) is None:
                return
            far = self._socket(socket.SOCK_DGRAM)
            far.connect((HERE, port))
            self._loop.add_reader(far, answered, far, client)
            self._loop.call_later(takes, far.send, data)

        def answered(far: socket.socket, client: tuple[str, int]) -> None:
            data = far.recv(LARGEST)
            if (takes := back.datagram()) is not None:
                self._loop.call_later(takes, near.sendto, data, client)

        self._loop.add_reader(near, asked)
        return int(near.getsockname()[1])

    def _socket(self, kind: socket.SocketKind) -> socket.socket:
        # With its protocol by name: only then does asyncio switch off Nagle's algorithm, which would hold back 40 ms.
        protocol = socket.IPPROTO_TCP if kind == socket.SOCK_STREAM else socket.IPPROTO_UDP
        opened = self._opened.enter_context(socket.socket(socket.AF_INET, kind, protocol))
        opened.setblocking(False)
        opened.bind((HERE, 0))
        return opened
