"""One request to one NTP server, whose response is used only if RFC 5905 allows it.

ntplib reads and writes the packets. Its own client validates next to nothing: a kiss of death, an
unsynchronised server and a response to another request all pass, and each foreign packet prolongs
its time-out.
"""

import contextlib
import ipaddress
import re
import secrets
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

import ntplib

# Seconds; a server that knows the time no better cannot judge a clock.
MAX_ROOT_DISTANCE = 0.5
# Seconds since the server itself was set.
MAX_REFERENCE_AGE = 36 * 3600
# Seconds; NTP's 32 bits of them began again on 7 February 2036. A time before 2020 is after that.
ERA = 2**32
PIVOT = 3_786_825_600
# Seconds of slack between two clocks that are read one after the other.
TICK = 0.001


class NtpError(Exception):
    """There is no response that may be used; the text gives the reason."""


class KissOfDeath(NtpError):
    """The server demands that no more requests are sent (RFC 5905, section 7.4)."""


class Answer(NamedTuple):
    """offset: true time minus our clock. bound: of the offset's error. Both are in seconds."""

    offset: float
    bound: float


def ask(
    host: str, port: int = 123, timeout: float = 2.0, clock: Callable[[], float] = time.time
) -> Answer:
    """Send one request to the first of the name's addresses. Raises NtpError.

    timeout: for the exchange, in seconds; the DNS lookup comes on top. clock: ours, in seconds
    since 1970, which the offset is relative to.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            # The kernel then drops packets from elsewhere.
            connection.connect(address)
            return read(*_exchange(connection, timeout, clock))
    except (OSError, UnicodeError) as error:
        raise NtpError(str(error) or type(error).__name__) from None


def _exchange(
    connection: socket.socket, timeout: float, clock: Callable[[], float]
) -> tuple[bytes, float, float]:
    """Return the arguments of `read`. Raises NtpError if no response arrives in time."""
    # Servers return the transmit timestamp unchanged. A random one cannot be guessed.
    nonce = secrets.token_bytes(8)
    # In this order, an interruption between the two makes the delay longer, and so the bound.
    start = time.monotonic()
    sent = clock()
    connection.send(ntplib.NTPPacket(version=4, mode=3).to_data()[:40] + nonce)
    complaint = "no response in time"
    while (left := start + timeout - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            data = connection.recv(512)
        except TimeoutError:
            break
        elapsed = time.monotonic() - start
        if data[24:32] == nonce:
            return data, sent, elapsed
        complaint = "the response belongs to another request (wrong origin)"
    raise NtpError(complaint)


def read(data: bytes, sent: float, elapsed: float) -> Answer:
    """Return what a packet states that came `elapsed` seconds after our request.

    sent: when the request left, by our clock, in seconds since 1970. Raises NtpError.
    """
    stats = ntplib.NTPStats()
    try:
        stats.from_data(data)
    except ntplib.NTPException:
        raise NtpError(f"{len(data)} bytes are not an NTP packet") from None
    for stamp in ("recv_timestamp", "tx_timestamp", "ref_timestamp"):
        if 0 < getattr(stats, stamp) < PIVOT:
            setattr(stats, stamp, getattr(stats, stamp) + ERA)
    stats.orig_timestamp = ntplib.system_to_ntp_time(sent)
    # The steady clock gives the delay, so that a step of our clock does not look like one.
    stats.dest_timestamp = stats.orig_timestamp + elapsed
    validate(stats)
    return Answer(stats.offset, root_distance(stats))


def root_distance(stats: ntplib.NTPStats) -> float:
    """Return the most that the offset may be off, in seconds (RFC 5905, section 11.2.1).

    It is half of the delay to the primary source, the error that accumulates on the way, and the
    precision of the server's clock.
    """
    delay = max(stats.delay, 0) + stats.root_delay
    return float(delay / 2 + stats.root_dispersion + 2.0**stats.precision)


def validate(stats: ntplib.NTPStats) -> None:
    """Raise NtpError unless the response may be used."""
    if stats.stratum == 0:
        code = stats.ref_id.to_bytes(4, "big").decode("ascii", "replace").rstrip("\0")
        raise KissOfDeath(f"kiss of death ({ascii(code)[1:-1]})")
    distance = root_distance(stats)
    age = stats.tx_timestamp - stats.ref_timestamp
    rules = [
        (stats.mode == 4, f"mode {stats.mode} is not a server's"),
        (stats.version in (3, 4), f"version {stats.version} is not supported"),
        (stats.stratum <= 15, f"stratum {stats.stratum}: the server is not synchronised"),
        (stats.leap != 3, "leap indicator 3: the server is not synchronised"),
        (0 < stats.recv_timestamp <= stats.tx_timestamp, "timestamps are missing or out of order"),
        # The server cannot have taken longer than we waited.
        (stats.delay >= -TICK, f"a delay of {stats.delay:.3f} s is impossible"),
        (distance <= MAX_ROOT_DISTANCE, f"root distance {distance:.3f} s is too large"),
        (stats.ref_timestamp != 0, "the server does not state when it was last set"),
        (-1 <= age <= MAX_REFERENCE_AGE, "the server was last set too long ago"),
    ]
    for is_kept, complaint in rules:
        if not is_kept:
            raise NtpError(complaint)


def split(server: str) -> tuple[str, int]:
    """Return host and port of "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6 address.

    Raises ValueError for anything else.
    """
    # A bare IPv6 address has several colons.
    text = f"[{server}]" if server.count(":") > 1 and "[" not in server else server
    if match := re.fullmatch(r"(?:\[(.+)\]|([\w.-]+))(?::([0-9]{1,5}))?", text):
        address, name, digits = match.groups()
        port = int(digits or 123)
        with contextlib.suppress(ValueError):
            if name:
                _validate_name(name)
            else:
                ipaddress.IPv6Address(address)
            if 0 < port < 65536:
                return name or address, port
    raise ValueError(f"{server!a} is not a server such as ntp.example.org:123 or [2001:db8::1]:123")


def _validate_name(text: str) -> None:
    """Raise ValueError unless the text can be the name of a host, or is an IPv4 address."""
    # Each part has 1 to 63 characters.
    text.encode("idna")
    if re.fullmatch(r"[0-9.]+", text):
        ipaddress.IPv4Address(text)
    if len(text) > 253 or any(part.strip("-") != part for part in text.split(".")):
        raise ValueError
