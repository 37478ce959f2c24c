"""Waiting that the kernel times, and that a thread, a selector or a signal handler can use.

It also works where libfaketime replaces the clocks of a whole process. Python's own waiting (sleep,
joining threads, events) uses these clocks, and would last for decades or fail.
"""

import contextlib
import socket
from typing import Self

from healthcheck.clock import steady_time


class Bell:
    """A context manager that one thread, or a signal handler, rings and another waits for."""

    def __init__(self) -> None:
        self.has_rung = False
        self._waiting_end, self._ringing_end = socket.socketpair()
        # A signal handler that blocked until the ring is read would wait for its own thread.
        self._ringing_end.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting_end.close()
        self._ringing_end.close()

    def fileno(self) -> int:
        """Return the file that can be read after a ring, for a selector."""
        return self._waiting_end.fileno()

    def ring(self) -> None:
        """Ring; never blocks or raises."""
        self.has_rung = True
        # Ringing fails when the context has ended, or after some hundred rings that nobody waited
        # for.
        with contextlib.suppress(OSError):
            self._ringing_end.send(b"!")

    def wait(self, timeout: float, rings: int = 1) -> bool:
        """Return True after that many new rings, or False after `timeout` seconds."""
        until = steady_time() + timeout
        while rings > 0 and (left := until - steady_time()) > 0:
            self._waiting_end.settimeout(left)
            try:
                rings -= len(self._waiting_end.recv(rings))
            except TimeoutError:
                return False
        return rings == 0


def pause(seconds: float) -> None:
    """Wait for `seconds`."""
    with Bell() as silent:
        silent.wait(seconds)
