"""Waiting that the kernel times.

Python's own (sleep, the joining of threads, events) is timed by clocks that libfaketime replaces for a whole process,
and then lasts for decades or fails. A socket's time-out is a number of seconds, and no moment of any clock.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Self

from healthcheck.clock import steady


class Bell:
    """Rung by one thread, or a signal's handler, and heard by another; a context manager."""

    def __init__(self) -> None:
        self.rung = False
        self._here, self._there = socket.socketpair()
        self._there.setblocking(
            False
        )  # a signal's handler that waited for the reader would wait for itself

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.close()
        self._there.close()

    def ring(self) -> None:
        self.rung = True
        with contextlib.suppress(
            OSError
        ):  # nobody listens any more, or it is rung already, some hundred times
            self._there.send(b"!")

    def heard(self, timeout: float, times: int = 1) -> bool:
        """Wait until it was rung so often since the last time; False after `timeout` seconds."""
        until = steady() + timeout
        while times > 0 and (left := until - steady()) > 0:
            self._here.settimeout(left)
            try:
                times -= len(self._here.recv(times))
            except TimeoutError:
                return False
        return times == 0


def pause(seconds: float) -> None:
    with Bell() as silent:
        silent.heard(seconds)
