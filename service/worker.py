"""gunicorn's threaded worker, with a deadline for clients and JSON for what it refuses."""

import contextlib
import json
import logging
import socket
import time
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors
from gunicorn.workers.gthread import TConn, ThreadWorker

from service.app import HEADERS
from service.log import log_fields, request_id

log = logging.getLogger(__name__)

STATUSES = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}


class Worker(ThreadWorker):  # type: ignore[misc]
    # Seconds from the first byte of a request to the last of its response. The balancer sends the
    # headers in one piece and takes a response at once. A slower client would hold a thread.
    time_limit = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadlines: dict[TConn, float] = {}

    def handle(self, conn: TConn) -> Any:
        """Serve a connection, in one of the threads."""
        self.deadlines[conn] = time.monotonic() + self.time_limit
        try:
            return super().handle(conn)
        finally:
            del self.deadlines[conn]

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
        if isinstance(exc, errors.ParseException):
            status, extra = STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST), {}
            log.warning("refused a request", extra=log_fields(status=status, reason=str(exc)))
        else:
            status, extra = HTTPStatus.INTERNAL_SERVER_ERROR, {"id": request_id(None)}
            fields = log_fields(request_id=extra["id"], status=status)
            log.exception("a request failed by our fault", extra=fields)
        # The client may have closed the connection.
        with contextlib.suppress(OSError):
            client.sendall(_error_response(status, extra))
            # Otherwise the main thread would wait until the client closes the connection.
            client.shutdown(socket.SHUT_RD)


def _error_response(status: HTTPStatus, extra: dict[str, str]) -> bytes:
    message = status.description or status.phrase
    body = json.dumps({"error": {"status": status, "message": message, **extra}}) + "\n"
    headers = {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **HEADERS,
    }
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} {status.phrase}", *lines, "", body]).encode()
