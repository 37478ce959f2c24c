"""Servers for the healthcheck to measure, on free ports: HTTP and NTP, good and bad.

They read `time.time_ns`, so a test that replaces `time.time` changes the checker's clock alone.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SINCE_1900 = 2_208_988_800  # seconds from NTP's epoch to that of Unix


def rfc3339(shift: float = 0.0, zone: str = "Z") -> str:
    """The time now plus `shift` seconds, with six digits."""
    moment = EPOCH + timedelta(microseconds=time.time_ns() // 1000, seconds=shift)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + zone


class Request(http.server.BaseHTTPRequestHandler):
    """A request that the server's behaviour answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: WebServer

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers))
        with contextlib.suppress(OSError):  # the checker may leave at any moment
            self.server.behaviour(self)

    do_HEAD = do_GET

    def answer(self, content: object, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response_only(status)
        for name, value in {"Date": self.date_time_string(), **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def drip(self, data: bytes) -> None:
        """Send a byte of it now and then, again and again, until nobody listens any more."""
        while not self.server.closing.is_set():
            for byte in data:
                self.wfile.write(bytes([byte]))
                if self.server.closing.wait(0.02):
                    return

    def log_message(self, format: str, *args: object) -> None:
        pass


Behaviour = Callable[[Request], None]


class WebServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # Python's default is 5. The kernel then drops simultaneous connections, which come a second
    # later.
    request_queue_size = 128

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.behaviour = behaviour
        self.closing = threading.Event()
        self.requests: list[dict[str, str]] = []  # the headers of each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a checker that hangs up is no error here


@contextlib.contextmanager
def web(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """A web server with this behaviour, while the context lasts."""
    with WebServer(behaviour) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        with serve(server):
            yield server
            server.closing.set()


@contextlib.contextmanager
def serve(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def time_service(shift: float = 0.0, instance: str = "i-1") -> Behaviour:
    """The service with a clock that is `shift` seconds fast."""
    return lambda request: request.answer({"now": rfc3339(shift), "instance": instance})


class UdpServer(socketserver.UDPServer):
    def __init__(self, reply: Callable[[bytes], bytes | None]) -> None:
        super().__init__(("127.0.0.1", 0), Datagram)
        self.reply = reply
        self.asked = 0

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Datagram(socketserver.BaseRequestHandler):
    server: UdpServer

    def handle(self) -> None:
        packet, connection = self.request
        self.server.asked += 1
        if (reply := self.server.reply(packet)) is not None:
            connection.sendto(reply, self.client_address)


@contextlib.contextmanager
def udp(reply: Callable[[bytes], bytes | None]) -> Iterator[UdpServer]:
    """A server that responds to each datagram in this way (None: not at all), while the context
    lasts."""
    with UdpServer(reply) as server, serve(server):
        yield server


@contextlib.contextmanager
def ntp(**fields: Any) -> Iterator[UdpServer]:
    """An NTP server whose answers differ from good ones in these fields (of `packet`)."""
    with udp(lambda request: packet(request, **fields)) as server:
        yield server


def packet(
    request: bytes,
    *,
    shift: float = 0.0,
    origin: bytes | None = None,
    received: float | None = None,
    **fields: Any,
) -> bytes:
    """An answer to the request that differs from a good one in these fields (of `packet_at`).

    shift: how fast the server's clock is, in seconds.
    """
    now = time.time_ns() / 1e9 + shift
    return packet_at(
        now if received is None else received,
        now,
        request[40:48] if origin is None else origin,
        **fields,
    )


def packet_at(
    received: float,
    sent: float,
    origin: bytes = bytes(8),
    *,
    leap: int = 0,
    version: int = 4,
    mode: int = 4,
    stratum: int = 2,
    precision: int = -20,
    root_delay: float = 0.001,
    root_dispersion: float = 0.001,
    reference_id: bytes = b"\x7f\x00\x00\x01",
    reference_age: float = 60.0,
) -> bytes:
    """A response (RFC 5905, figure 8) with these times, in seconds since 1970."""
    return struct.pack(
        "!BBBbII4s8s8s8s8s",
        leap << 6 | version << 3 | mode,
        stratum,
        6,
        precision,
        round(root_delay * 2**16),
        round(root_dispersion * 2**16),
        reference_id,
        timestamp(sent - reference_age),
        origin,
        timestamp(received),
        timestamp(sent),
    )


def timestamp(seconds: float) -> bytes:
    """Seconds since 1970 as a timestamp of NTP's; zero stays zero, which means unknown."""
    return struct.pack("!Q", round((seconds + SINCE_1900) * 2**32) if seconds else 0)
