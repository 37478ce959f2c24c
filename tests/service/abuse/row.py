"""What nobody should send to the service, and what comes back: from the service alone, and through a balancer.

An outcome is the statuses of all answers on the connection, in their order; "closed" when it ends without one, and
"open" when nothing comes within a second, as the server waits for the rest. `|` stands between those that are right:
through a balancer, where HAProxy (the local one) and an ALB, as far as it is documented, may differ, or HAProxy 2.6 and
3.0. An ALB has been tried with none of this. Its documentation knows of two 5xx that anybody can get from it: 501 for a
Transfer-Encoding that it does not know, and 505 for a version of HTTP; what says so here is never sent on to a host.
A second status where there is but one request, or a 200 through the balancer for /health, is smuggling.
"""

from __future__ import annotations

from typing import NamedTuple

MARK = "<script>zq9</script>"  # must not come back, in whatever form
HOST = "Host: time.example"
HEALTH = f"GET /health HTTP/1.1\r\n{HOST}\r\n\r\n"  # what only the balancer may ask: 404 through it


class Row(NamedTuple):
    name: str
    sent: bytes
    alone: str  # the outcome without a balancer: gunicorn and the application
    balanced: str  # the same through one
    why: str


def request(line: str, *headers: str, body: str = "", host: str = HOST) -> bytes:
    """As it stands, each character a byte."""
    lines = [line, *([host] if host else []), *headers]
    return ("".join(f"{text}\r\n" for text in lines) + "\r\n" + body).encode("latin-1")


def get(target: str, *headers: str, body: str = "", host: str = HOST) -> bytes:
    return request(f"GET {target} HTTP/1.1", *headers, body=body, host=host)


def post(*headers: str, body: str = "") -> bytes:
    return request("POST /now HTTP/1.1", *headers, body=body)
