"""gunicorn's threaded worker, with a fast lane, a deadline for clients, and JSON for refusals.

Nearly all requests are plain: GET /now in JSON and UTC. The fast lane answers these in the main
thread. Parsing, two changes of thread and Flask cost ten times as much. What the lane does not take
by its exact form goes the whole way, which would give the same response.
"""

import contextlib
import json
import logging
import re
import socket
import time
from concurrent.futures import Future
from functools import lru_cache
from http import HTTPStatus
from threading import Barrier
from typing import Any, ClassVar

from gunicorn.http import errors
from gunicorn.util import http_date
from gunicorn.workers.gthread import TConn, ThreadWorker

from service.app import HEADERS
from service.log import log_fields
from service.views import write_now

log = logging.getLogger(__name__)

STATUSES = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}
# Headers that do not change the response.
NEUTRAL = rb"""(?:(?:
    (?!(?i:accept|connection|content-[a-z]+|expect|host|transfer-encoding|upgrade):)
      [A-Za-z0-9-]++:[ -~]*+
    | (?i:accept:[ ]?(?:[*]/[*]|application/json) | connection:[ ]?keep-alive)
    )\r\n){0,49}+"""
# One complete plain request. Flask refuses some hosts of another form.
PLAIN = re.compile(
    rb"GET[ ]/now[ ]HTTP/1[.]1\r\n"
    + NEUTRAL
    + rb"(?i:host):[ ]?[A-Za-z0-9-]{1,63}(?:[.][A-Za-z0-9-]{1,63})*(?::[0-9]{1,5})?\r\n"
    + NEUTRAL
    + rb"\r\n",
    re.VERBOSE,
)
FIELDS = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
# The result of a thread that leaves its connection open.
KEPT: Future[bool] = Future()
KEPT.set_result(True)


class Worker(ThreadWorker):  # type: ignore[misc]
    # Seconds from the first byte of a request to the last of its response. The balancer sends the
    # headers in one piece and takes a response at once. A slower client would hold a thread.
    time_limit = 10.0
    deadlines: ClassVar[dict[TConn, float]] = {}

    def get_thread_pool(self) -> Any:
        """Start all threads now. Later the container may be at its limit of processes."""
        pool = super().get_thread_pool()
        started = Barrier(self.cfg.threads)
        for _ in range(self.cfg.threads):
            pool.submit(started.wait)
        return pool

    def enqueue_req(self, conn: TConn) -> None:
        """Wait for the first request of a connection as for the others, without a thread."""
        if conn.initialized:
            super().enqueue_req(conn)
        else:
            conn.init()
            self.finish_request(conn, KEPT)

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer a plain request at once; leave any other to the threads."""
        request = b""
        # What fails here fails again in a thread, which handles it.
        with contextlib.suppress(Exception):
            request = client.recv(4096)
            if self.alive and PLAIN.fullmatch(request):
                body = write_now(self.wsgi.extensions)
                response = _format_response(HTTPStatus.OK, "keep-alive", body)
                # The connections are in the order of their timeouts.
                self.keepalived_conns.remove(conn)
                conn.set_timeout()
                self.keepalived_conns.append(conn)
                if client.send(response) < len(response):
                    # The client does not read, so that its buffers are full.
                    client.shutdown(socket.SHUT_RDWR)
                return
        conn.parser.unreader.unread(request)
        super().on_client_socket_readable(conn, client)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Before the end, accept the connections that wait. A listener that closes resets them."""
        super().set_accept_enabled(enabled)
        while self.sockets and not (enabled or self.alive):
            listener = self.sockets.pop()
            # The connections that wait: tcpi_unacked in the kernel's tcp_info. Reading this keeps
            # the GIL, unlike an accept() that fails, so few connections arrive before the close.
            while any(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)[24:]):
                self.accept(listener)
            listener.close()

    def handle(self, conn: TConn) -> Any:
        """Serve a connection, in one of the threads."""
        self.deadlines[conn] = time.monotonic() + self.time_limit
        try:
            is_kept = super().handle(conn)
        finally:
            del self.deadlines[conn]
        if not is_kept:
            # Otherwise the main thread would wait until the client closes the connection. The
            # client may have closed it.
            with contextlib.suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)
        return is_kept

    def murder_pending(self) -> None:
        """Cut slow clients off, each second, in the main thread. Their threads then wake up."""
        super().murder_pending()
        for conn, deadline in self.deadlines.copy().items():
            if time.monotonic() > deadline:
                # The client may have closed the connection.
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Refuse what is no HTTP, or too long, as the application reports its errors.

        gunicorn would repeat what the client sent. It would also respond to an unknown transfer
        coding with a 501, so that anyone could raise the alarm for server errors.
        """
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST)
        log.warning("refused a request", extra=log_fields(status=status, reason=str(exc)))
        body = json.dumps({"error": {"status": status, "message": status.description}}) + "\n"
        # The client may have closed the connection.
        with contextlib.suppress(OSError):
            client.sendall(_format_response(status, "close", body))


def _format_response(status: HTTPStatus, connection: str, body: str) -> bytes:
    """Return a response of JSON in ASCII, as gunicorn would write it."""
    return (_format_head(status, connection, len(body), int(time.time())) + body).encode()


@lru_cache
def _format_head(status: HTTPStatus, connection: str, length: int, second: int) -> str:
    return (
        f"HTTP/1.1 {status} {status.phrase}\r\nServer: gunicorn\r\n"
        f"Date: {http_date(second)}\r\nConnection: {connection}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n{FIELDS}\r\n"
    )
