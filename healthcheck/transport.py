"""HTTP connections that another thread can cut.

The timeouts of requests are for each read from the socket, so a server that sends a byte now and then is never late.
Whoever keeps the deadline cuts the connection instead, and the thread that waits on it ends.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool


class Cuttable(HTTPAdapter):
    """The transport of a requests session; remembers the sockets that it opens."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> HTTPConnectionPool:
        """What requests calls for each request; the connections that come of it are ours."""
        found = super().get_connection_with_tls_context(*args, **options)
        pool = cast(HTTPConnectionPool, found)
        sockets, plain = self._sockets, type(pool).ConnectionCls

        class Connection(plain):  # type: ignore[misc, valid-type]  # HTTP or HTTPS
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        pool.ConnectionCls = Connection
        return pool

    def cut(self) -> None:
        """End what is read or written on any of the connections, at once."""
        for one in self._sockets:
            with contextlib.suppress(OSError):  # closed already
                # Not the method of an SSLSocket: it would drop the TLS state under the reader's feet.
                socket.socket.shutdown(one, socket.SHUT_RDWR)
