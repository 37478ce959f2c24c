"""HTTP connections that another thread can cut.

The time-outs of requests are for each read from the socket, so a server that sends a byte now and
then is never late. At the deadline the main thread cuts the connection, and the reader ends.
"""

import contextlib
import functools
import http.client
import socket
import ssl
from typing import Any, cast

from requests import Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, ProxyManager
from urllib3.exceptions import InvalidChunkLength
from urllib3.util.ssl_ import create_urllib3_context

from healthcheck.clock import read_clocks, steady_time
from healthcheck.dialer import Dialer

# Bytes of all headers together; http.client would take a hundred headers of that size each.
MAX_HEADERS = 64 * 1024
# Processing and Early Hints. http.client itself skips 100 alone.
INTERIM = (102, 103)


class CuttableAdapter(HTTPAdapter):
    """The transport of a requests session; it remembers the sockets that it opens.

    departure: our clocks, and the steady clock, when the last request left over an open connection.
    """

    def __init__(self, dialer: Dialer, tls: ssl.SSLContext) -> None:
        self.dialer = dialer
        self.tls = tls
        self.departure = read_clocks(), steady_time()
        self.sockets: list[socket.socket] = []
        self._is_cut = False
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=self.tls)

    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        manager = super().proxy_manager_for(proxy, **options, ssl_context=self.tls)
        return cast(ProxyManager, manager)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> HTTPConnectionPool:
        """Override the hook of requests so that the pool makes connections of our class."""
        pool = cast(HTTPConnectionPool, super().get_connection_with_tls_context(*args, **options))
        adapter, plain = self, type(pool).ConnectionCls

        # The base is urllib3's class for HTTP or for HTTPS.
        class Connection(plain):  # type: ignore[misc, valid-type]
            response_class = _FinalResponse

            def _new_conn(self) -> socket.socket:
                host = self._dns_host.strip("[]")
                connection = adapter.dialer.connect(host, self.port, self.timeout)
                adapter._keep(connection)
                return connection

            def request(self, *args: Any, **options: Any) -> None:
                """Note when the request leaves: no DNS, TCP or TLS comes between."""
                if self.sock is None:
                    self.connect()
                adapter.departure = read_clocks(), steady_time()
                super().request(*args, **options)

            @property
            def is_connected(self) -> bool:
                """Return whether the connection can be used again.

                It cannot if a response is already in TLS's buffer, before its request was sent.
                """
                pending = getattr(self.sock, "pending", int)
                return bool(super().is_connected) and not pending()

        pool.ConnectionCls = Connection
        return pool

    def _keep(self, connection: socket.socket) -> None:
        # The original is replaced by another object when TLS begins; a duplicate stays valid.
        self.sockets.append(connection.dup())
        if self._is_cut:
            self.cut()

    def build_response(self, request: Any, response: Any) -> Response:
        """Drop two headers that a checker has no use for.

        Parsing malformed cookies can fail. A compressed body is not what was requested, and may be
        a bomb: it stays compressed.
        """
        del response._original_response.msg["Set-Cookie"]
        response.headers.discard("Content-Encoding")
        return super().build_response(request, response)

    def cut(self) -> None:
        """End reading and writing on all connections, now and later."""
        self._is_cut = True
        self._shut_down()

    def _shut_down(self) -> None:
        for connection in self.sockets:
            # It fails on a connection that is closed already.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        # A response that is part of a reference cycle would keep its connection open.
        self._shut_down()
        while self.sockets:
            self.sockets.pop().close()


def create_tls_context() -> ssl.SSLContext:
    """Return a context for all connections of a check, which reads each file only once.

    urllib3 lets each connection read all trusted certificates again, which takes longer than the
    rest of a request.
    """
    context = create_urllib3_context()
    read = functools.cache(context.load_verify_locations)
    context.load_verify_locations = read  # type: ignore[assignment]
    return context


class TooLong(http.client.HTTPException):
    """The headers are longer than MAX_HEADERS."""


class _FinalResponse(http.client.HTTPResponse):
    """A response that skips interim ones (1xx), and raises TooLong."""

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


def refuse_negative_chunks(response: HTTPResponse) -> None:
    """Let a chunk of -1 bytes raise InvalidChunkLength.

    urllib3 (2.8) would read all that comes into memory.
    """
    update_length = response._update_chunk_length

    def update_and_validate_length() -> None:
        update_length()
        if response.chunk_left is not None and response.chunk_left < 0:
            response.close()
            raise InvalidChunkLength(response, b"negative")

    response._update_chunk_length = update_and_validate_length  # type: ignore[method-assign]
