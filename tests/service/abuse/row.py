"""A row of the table of abuse: a request, and its outcomes without and with a balancer.

An outcome is the statuses of all responses on the connection, in their order. It is "closed" when
the connection ends without a response, and "open" when none comes within a second, because the
server waits for the rest. `|` separates outcomes that are right: HAProxy 2.6, HAProxy 3.0 and an
ALB may differ. No row was sent to an ALB; its outcomes follow its documentation. An ALB has two 5xx
that anyone can get: 501 for an unknown Transfer-Encoding, and 505 for a version of HTTP. A request
that gets one of these never reaches a host. A second status for one request, or a 200 for /health
through the balancer, is smuggling.
"""

from __future__ import annotations

from typing import NamedTuple

MARK = "<script>zq9</script>"  # no response may contain it, in any form
HOST = "Host: time.example"
# Only the balancer may send this. Through the balancer, it gets a 404.
HEALTH = f"GET /health HTTP/1.1\r\n{HOST}\r\n\r\n"


class Row(NamedTuple):
    name: str
    sent: bytes
    alone: str  # the outcome without a balancer: gunicorn and the application
    balanced: str  # the same through one
    why: str


def request(line: str, *headers: str, body: str = "", host: str = HOST) -> bytes:
    """Return the bytes of a request, one for each character."""
    lines = [line, *([host] if host else []), *headers]
    return ("".join(f"{text}\r\n" for text in lines) + "\r\n" + body).encode("latin-1")


def get(target: str, *headers: str, body: str = "", host: str = HOST) -> bytes:
    return request(f"GET {target} HTTP/1.1", *headers, body=body, host=host)


def post(*headers: str, body: str = "") -> bytes:
    return request("POST /now HTTP/1.1", *headers, body=body)
