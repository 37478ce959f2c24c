"""HTTP connections that another thread can cut.

The timeouts of requests are for each read from the socket, so a server that sends a byte now and then is never late.
Whoever keeps the deadline cuts the connection instead, and the thread that waits on it ends.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any, cast

from requests import Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse
from urllib3.exceptions import InvalidChunkLength


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

    def build_response(self, request: Any, answer: Any) -> Response:
        """Without cookies: a checker has no use for them, and reading malformed ones can fail."""
        del answer._original_response.msg["Set-Cookie"]
        return super().build_response(request, answer)

    def cut(self) -> None:
        """End what is read or written on any of the connections, at once."""
        for one in self._sockets:
            with contextlib.suppress(OSError):  # closed already
                # Not the method of an SSLSocket: it would drop the TLS state under the reader's feet.
                socket.socket.shutdown(one, socket.SHUT_RDWR)


def refuse_negative_chunks(answer: HTTPResponse) -> None:
    """Let a chunk of -1 bytes raise InvalidChunkLength; urllib3 (2.8) would read all that comes, into memory."""
    read_length = answer._update_chunk_length

    def checked() -> None:
        read_length()
        if (left := answer.chunk_left) is not None and left < 0:
            answer.close()
            raise InvalidChunkLength(answer, b"%x" % left)

    answer._update_chunk_length = checked  # type: ignore[method-assign]
