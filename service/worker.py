"""gunicorn's threaded worker, with less patience for clients than its own and fewer words for what it refuses."""

from __future__ import annotations

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
from service.log import about, request_id

log = logging.getLogger(__name__)

STATUSES = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}


class Worker(ThreadWorker):  # type: ignore[misc]
    # Seconds from the first byte of a request to the last of its answer. The balancer sends a head in one piece and
    # takes an answer at once: whoever needs longer holds one of few threads, and is cut off.
    patience = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadlines: dict[TConn, float] = {}

    def handle(self, conn: TConn) -> Any:
        """In one of the threads."""
        self.deadlines[conn] = time.monotonic() + self.patience
        try:
            return super().handle(conn)
        finally:
            del self.deadlines[conn]

    def murder_pending(self) -> None:
        """In the main thread, each second. A thread that waits for the client wakes up, and finds that it has gone."""
        super().murder_pending()
        for conn, deadline in self.deadlines.copy().items():
            if time.monotonic() > deadline:
                with contextlib.suppress(OSError):  # it has
                    conn.sock.shutdown(socket.SHUT_RDWR)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what is no HTTP, or too long, as the application answers its errors: gunicorn would repeat what was
        sent, and call an unknown transfer coding a 501, so that anybody could ring the alarm for server errors."""
        if isinstance(exc, errors.ParseException):
            status, extra = STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST), {}
            log.warning("refused a request", extra=about(status=status, reason=str(exc)))
        else:
            status, extra = HTTPStatus.INTERNAL_SERVER_ERROR, {"id": request_id(None)}
            line = about(request_id=extra["id"], status=status)
            log.exception("a request failed by our fault", extra=line)
        with contextlib.suppress(OSError):  # the client has gone
            client.sendall(_answer(status, extra))
            client.shutdown(socket.SHUT_RD)  # else the main thread waits for the client to close


def _answer(status: HTTPStatus, extra: dict[str, str]) -> bytes:
    message = status.description or status.phrase
    body = json.dumps({"error": {"status": status, "message": message, **extra}})
    headers = {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body) + 1),
        **HEADERS,
    }
    lines = [
        f"HTTP/1.1 {status} {status.phrase}",
        *(f"{name}: {one}" for name, one in headers.items()),
    ]
    return "\r\n".join([*lines, "", body + "\n"]).encode()
