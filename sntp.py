"""One question to one NTP server, whose answer is used only if RFC 5905 allows it.

ntplib reads and writes the packets. Its own client checks next to nothing (a kiss of death, an unsynchronised server,
an answer to somebody else's question all come back from it as good), and each stranger's packet prolongs its time-
out. The service and the healthcheck both ask through here.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

import ntplib

MAX_ROOT_DISTANCE = (
    0.5  # seconds; a server that knows the time no better than this cannot judge anybody
)
MAX_REFERENCE_AGE = 36 * 3600  # seconds since the server itself was last set
# Seconds; NTP counts them in 32 bits, and began anew on 7 February 2036. What would be before 2020 is after that.
ERA = 2**32
PIVOT = 3_786_825_600
TICK = 0.001  # seconds of slack between clocks that are read one after the other


class NtpError(Exception):
    """No answer, or none that may be used; the text says why."""


class NoAnswer(NtpError):
    """Nothing came back in time, or the name does not resolve."""


class InvalidAnswer(NtpError):
    """An answer came back that must not be used."""


class KissOfDeath(InvalidAnswer):
    """The server wants to be left alone (RFC 5905, section 7.4)."""


class Answer(NamedTuple):
    """offset: true time minus our clock, in seconds. bound: how far off it may be (root distance), in seconds."""

    offset: float
    bound: float


def ask(
    host: str, port: int = 123, timeout: float = 2.0, clock: Callable[[], float] = time.time
) -> Answer:
    """Ask once, at the first of the name's addresses; raises NtpError.

    timeout: for the whole exchange, in seconds; the DNS comes on top. clock: ours, in seconds since 1970; the offset is
    to what it says when we ask.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        with socket.socket(found[0][0], socket.SOCK_DGRAM) as connection:
            # The kernel lets nothing through then that comes from elsewhere.
            connection.connect(found[0][4])
            return read(*_exchange(connection, timeout, clock))
    except TimeoutError:
        raise NoAnswer("no answer in time") from None
    except (OSError, UnicodeError) as trouble:
        raise NoAnswer(str(trouble) or type(trouble).__name__) from None


def _exchange(
    connection: socket.socket, timeout: float, clock: Callable[[], float]
) -> tuple[bytes, float, float]:
    """What `read` needs of a question and its answer; raises TimeoutError, or InvalidAnswer if it is forged."""
    # Servers return the transmit timestamp as it came. Ours tells nothing of our clock, and cannot be guessed.
    nonce = secrets.token_bytes(8)
    # In this order: an interruption between the two makes the delay longer, and the bound with it.
    steady = time.monotonic()
    sent = clock()
    connection.send(ntplib.NTPPacket(version=4, mode=3).to_data()[:40] + nonce)
    forged = False
    while (left := steady + timeout - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            data = connection.recv(512)
        except TimeoutError:
            break
        elapsed = time.monotonic() - steady
        if data[24:32] != nonce:
            forged = True
            continue
        return data, sent, elapsed
    if forged:
        raise InvalidAnswer("not an answer to this question (wrong origin)")
    raise TimeoutError


def read(data: bytes, sent: float, elapsed: float) -> Answer:
    """What a packet says that came `elapsed` seconds after our question; raises InvalidAnswer.

    sent: when that left, by our clock; seconds since 1970.
    """
    stats = ntplib.NTPStats()
    try:
        stats.from_data(data)
    except ntplib.NTPException as trouble:
        raise InvalidAnswer(str(trouble)) from None
    for stamp in ("recv_timestamp", "tx_timestamp", "ref_timestamp"):
        if 0 < (seconds := getattr(stats, stamp)) < PIVOT:
            setattr(stats, stamp, seconds + ERA)
    stats.orig_timestamp = ntplib.system_to_ntp_time(sent)
    # By the steady clock: a step of ours in the meantime must not look like a delay.
    stats.dest_timestamp = stats.orig_timestamp + elapsed
    validate(stats)
    return Answer(stats.offset, root_distance(stats))


def root_distance(stats: ntplib.NTPStats) -> float:
    """How far off the answer may be, in seconds (RFC 5905, section 11.2.1): half of the way to the primary source, what
    has crept in on it, and what the server's clock can tell apart."""
    return float(
        (max(stats.delay, 0) + stats.root_delay) / 2 + stats.root_dispersion + 2.0**stats.precision
    )


def validate(stats: ntplib.NTPStats) -> None:
    """Raise InvalidAnswer unless the answer may be used."""
    if stats.stratum == 0:
        code = stats.ref_id.to_bytes(4, "big").decode("ascii", "replace").rstrip("\0")
        raise KissOfDeath(f"kiss of death ({ascii(code)[1:-1]})")
    distance = root_distance(stats)
    rules = [
        (stats.mode == 4, f"mode {stats.mode} is not a server's"),
        (stats.version in (3, 4), f"version {stats.version} is not spoken here"),
        (stats.stratum <= 15, f"stratum {stats.stratum}: the server is not synchronised"),
        (stats.leap != 3, "the server says that it is not synchronised"),
        (0 < stats.recv_timestamp <= stats.tx_timestamp, "timestamps are missing or out of order"),
        # It cannot have taken longer with the question than we waited.
        (stats.delay >= -TICK, f"a delay of {stats.delay:.3f} s is impossible"),
        (
            distance <= MAX_ROOT_DISTANCE,
            f"root distance {distance:.3f} s is too large",
        ),
        (
            -1 <= stats.tx_timestamp - stats.ref_timestamp <= MAX_REFERENCE_AGE,
            "the server was last set too long ago",
        ),
    ]
    for fine, complaint in rules:
        if not fine:
            raise InvalidAnswer(complaint)


def split(server: str) -> tuple[str, int]:
    """Host and port of "host", "host:port", "[v6]:port" or a bare IPv6 address; ValueError for anything else."""
    host, port = server, ""
    if server.startswith("["):
        host, closed, port = server[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            host = ""
    elif server.count(":") == 1:
        host, _, port = server.rpartition(":")
    elif ":" in server and not _is_ipv6(server):
        host = ""
    number = port.removeprefix(":") or "123"
    if not host or not re.fullmatch("[0-9]{1,5}", number) or not 0 < int(number) < 65536:
        raise ValueError(
            f"{server!a} is not a server such as ntp.example.org:123 or [2001:db8::1]:123"
        )
    return host, int(number)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
