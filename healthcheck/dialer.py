"""Connect to a host by Happy Eyeballs (RFC 8305): its addresses are tried side by side.

A silent address costs a quarter of a second. A DNS server that is slow for one family costs
nothing: asyncio and aiohappyeyeballs would wait for both families.
"""

import contextlib
import errno
import os
import selectors
import socket
import threading
from collections import Counter
from itertools import zip_longest
from typing import Any, Self

from healthcheck.clock import steady_time
from healthcheck.waiting import Bell

# Seconds between two attempts (RFC 8305, section 5); less if many addresses must be tried in time.
DELAY = 0.25
FAMILIES = (socket.AF_INET6, socket.AF_INET)
# An address that does not respond counts as if it were used this often, so it is tried last.
SILENT = 10_000
# An address family, and the address in the form that socket.connect takes.
Address = tuple[int, Any]


class Dialer:
    """Opens connections to one host, and spreads them over the addresses that respond.

    Once a connection is open, several threads may connect. handshake: seconds that the quickest
    took, or None.
    """

    def __init__(self) -> None:
        self.handshake: float | None = None
        self._found: dict[int, list[Address]] = {}
        self._uses: Counter[Address] = Counter()

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """Return the first connection to an address of the host. Raises OSError.

        timeout: in seconds, for the DNS lookups and all attempts.
        """
        until, due, failure = steady_time() + timeout, 0.0, 0
        with Bell() as bell, _Attempts(bell) as attempts:
            if self.handshake is None:
                self._start_lookups(host, port, bell)
            while (now := steady_time()) < until:
                untried = [found for found in self._addresses() if found not in attempts.begun]
                if untried and now >= due:
                    due = now + min(DELAY, (until - now) / (2 * len(untried)))
                    self._uses[untried[0]] += 1
                    ended = attempts.begin(untried[0])
                elif untried or attempts.running or len(self._found) < len(FAMILIES):
                    ended = attempts.wait((due if untried else until) - now)
                elif failure:
                    raise OSError(failure, os.strerror(failure))
                else:
                    raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
                for address, error in ended:
                    if not error:
                        self._note_success(address, attempts.begun)
                        return attempts.take(address, timeout)
                    self._uses[address] += SILENT
                    # A refusal is a better reason than a network that is not there.
                    if failure != errno.ECONNREFUSED:
                        failure = error
                    due = 0.0
        raise TimeoutError

    def _start_lookups(self, host: str, port: int, bell: Bell) -> None:
        """Look up the addresses of each family in a thread of its own, which rings at its end."""

        def look_up(family: int) -> None:
            addresses: list[Address] = []
            # The other family may have addresses.
            with contextlib.suppress(OSError, UnicodeError):
                for info in socket.getaddrinfo(host, port, family, socket.SOCK_STREAM):
                    addresses.append((info[0], info[4]))
            self._found[family] = addresses
            bell.ring()

        self._found = {}
        for family in FAMILIES:
            # A lookup has no time-out: a thread that hangs in it is left behind.
            threading.Thread(target=look_up, args=(family,), daemon=True).start()

    def _addresses(self) -> list[Address]:
        """Return the known addresses, the least used first, and of both families in turn."""
        families = [self._found.get(family, []) for family in FAMILIES]
        mixed = [address for turn in zip_longest(*families) for address in turn if address]
        return sorted(dict.fromkeys(mixed), key=self._uses.__getitem__)

    def _note_success(self, address: Address, begun: dict[Address, float]) -> None:
        """From now on, let the addresses that were tried before this one come last."""
        handshake = steady_time() - begun[address]
        self.handshake = min(handshake, self.handshake or handshake)
        for earlier, began in begun.items():
            if began < begun[address]:
                self._uses[earlier] += SILENT


class _Attempts:
    """The attempts to connect, side by side; a context manager. bell: ends a `wait` early.

    begun: when each began, on the steady clock. An error is a number of `errno`, or 0.
    """

    def __init__(self, bell: Bell) -> None:
        self.begun: dict[Address, float] = {}
        self.running: dict[Address, socket.socket] = {}
        self._bell = bell
        self._selector = selectors.DefaultSelector()
        self._selector.register(bell, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for connection in self.running.values():
            connection.close()

    def begin(self, address: Address) -> list[tuple[Address, int]]:
        """Begin an attempt; return it, with its error, if it failed at once."""
        self.begun[address] = steady_time()
        family, target = address
        try:
            connection = socket.socket(family, socket.SOCK_STREAM)
        except OSError as failure:
            return [(address, failure.errno or errno.EAFNOSUPPORT)]
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = connection.connect_ex(target)
        if error not in (0, errno.EINPROGRESS):
            connection.close()
            return [(address, error)]
        self.running[address] = connection
        self._selector.register(connection, selectors.EVENT_WRITE, address)
        return []

    def wait(self, timeout: float) -> list[tuple[Address, int]]:
        """Return the attempts that end first within that many seconds, each with its error."""
        ended = []
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                self._bell.wait(timeout)
                continue
            error = self.running[key.data].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            ended.append((key.data, error))
            if error:
                self._selector.unregister(self.running[key.data])
                self.running.pop(key.data).close()
        return ended

    def take(self, address: Address, timeout: float) -> socket.socket:
        """Return the connection of an attempt, which no longer belongs to this object."""
        connection = self.running.pop(address)
        connection.settimeout(timeout)
        return connection
