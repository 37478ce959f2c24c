"""HTTP connections that another thread can cut.

The timeouts of requests are for each read from the socket, so a server that sends a byte now and then is never late.
Whoever keeps the deadline cuts the connection instead, and the thread that waits on it ends.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from typing import Any, cast

from requests import Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse
from urllib3.exceptions import InvalidChunkLength

MAX_HEADERS = (
    64 * 1024
)  # bytes, all together; http.client would take a hundred of that size, and urllib3 take them apart
INTERIM = (102, 103)  # Processing, Early Hints; http.client itself passes over 100 alone


class Cuttable(HTTPAdapter):
    """The transport of a requests session; remembers the sockets that it opens."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._is_cut = False
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> HTTPConnectionPool:
        """What requests calls for each request; the connections that come of it are ours."""
        found = super().get_connection_with_tls_context(*args, **options)
        pool = cast(HTTPConnectionPool, found)
        keep, plain = self._keep, type(pool).ConnectionCls

        class Connection(plain):  # type: ignore[misc, valid-type]  # HTTP or HTTPS
            response_class = _FinalResponse

            def _new_conn(self) -> socket.socket:
                connection: socket.socket = super()._new_conn()
                keep(connection)
                return connection

            @property
            def is_connected(self) -> bool:
                """Whether it can be used again; not if an answer waits in it (in TLS's own buffer) to a question that
                is yet to be asked."""
                pending = getattr(self.sock, "pending", int)
                return bool(super().is_connected) and not pending()

        pool.ConnectionCls = Connection
        return pool

    @property
    def opened(self) -> int:
        """How many connections there were so far."""
        return len(self._sockets)

    def _keep(self, connection: socket.socket) -> None:
        # A duplicate, which ends with the original, as that is given up for another when TLS begins.
        self._sockets.append(connection.dup())
        if self._is_cut:
            self.cut()

    def build_response(self, request: Any, answer: Any) -> Response:
        """Without cookies: a checker has no use for them, and reading malformed ones can fail."""
        del answer._original_response.msg["Set-Cookie"]
        return super().build_response(request, answer)

    def cut(self) -> None:
        """End what is read or written on any of the connections, at once, and any that is made later on."""
        self._is_cut = True
        for one in self._sockets:
            with contextlib.suppress(OSError):  # closed already
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        for one in self._sockets:
            one.close()


class TooLong(http.client.HTTPException):
    """More headers than any answer needs."""


class _FinalResponse(http.client.HTTPResponse):
    """Passes over interim answers (1xx), as what they announce is still to come; raises TooLong."""

    def begin(self) -> None:
        super().begin()
        if sum(len(name) + len(value) for name, value in self.headers.items()) > MAX_HEADERS:
            raise TooLong

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status not in INTERIM:
                return version, status, reason
            http.client.parse_headers(self.fp)


def refuse_negative_chunks(answer: HTTPResponse) -> None:
    """Let a chunk of -1 bytes raise InvalidChunkLength; urllib3 (2.8) would read all that comes, into memory."""
    read_length = answer._update_chunk_length

    def checked() -> None:
        read_length()
        if (left := answer.chunk_left) is not None and left < 0:
            answer.close()
            raise InvalidChunkLength(answer, b"%x" % left)

    answer._update_chunk_length = checked  # type: ignore[method-assign]
