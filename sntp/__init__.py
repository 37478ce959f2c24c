"""One question to one NTP server, whose answer is used only if RFC 5905 allows it.

ntplib does the packets, and checks next to nothing: a kiss of death, an unsynchronised server, or an answer to somebody
else's question all come back from it as good. The service and the healthcheck both ask through here.
"""

from __future__ import annotations

import re
import time
from typing import NamedTuple

import ntplib

MAX_ROOT_DISTANCE = (
    0.5  # seconds; a server that knows the time no better than this cannot judge anybody
)
MAX_REFERENCE_AGE = 36 * 3600  # seconds since the server itself was last set
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


def ask(host: str, port: int = 123, timeout: float = 2.0) -> Answer:
    """Ask once; raises NtpError. `timeout` is in seconds and does not cover the DNS."""
    wall, steady = time.time(), time.monotonic()
    try:
        stats = ntplib.NTPClient().request(host, version=4, port=port, timeout=timeout)
    except (ntplib.NTPException, OSError) as trouble:
        raise NoAnswer(str(trouble) or type(trouble).__name__) from None
    elapsed = time.monotonic() - steady
    validate(stats, wall, elapsed)
    return Answer(stats.offset, root_distance(stats) + 2.0**stats.precision)


def root_distance(stats: ntplib.NTPStats) -> float:
    """Half the way to the primary source, and what has crept in on it; seconds (RFC 5905, section 11.2.1)."""
    return float((stats.delay + stats.root_delay) / 2 + stats.root_dispersion)


def validate(stats: ntplib.NTPStats, asked_at: float, elapsed: float) -> None:
    """Raise InvalidAnswer unless the answer may be used.

    asked_at: our clock just before the question, in seconds since 1970. elapsed: the exchange, in seconds.
    """
    if stats.stratum == 0:
        code = stats.ref_id.to_bytes(4, "big").decode("ascii", "replace").rstrip("\0")
        raise KissOfDeath(f"kiss of death ({code})")
    distance = root_distance(stats)
    rules = [
        (stats.mode == 4, f"mode {stats.mode} is not a server's"),
        (stats.version in (3, 4), f"version {stats.version} is not spoken here"),
        (stats.stratum <= 15, f"stratum {stats.stratum}: the server is not synchronised"),
        (stats.leap != 3, "the server says that it is not synchronised"),
        (0 < stats.recv_timestamp <= stats.tx_timestamp, "timestamps are missing or out of order"),
        # The answer carries our own send time back; another one is an answer to somebody else, or forged.
        (
            -TICK <= stats.orig_time - asked_at <= elapsed + TICK,
            "not an answer to this question (wrong origin)",
        ),
        (-TICK <= stats.delay <= elapsed + TICK, f"a delay of {stats.delay:.3f} s is impossible"),
        (
            distance + 2.0**stats.precision <= MAX_ROOT_DISTANCE,
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
    number = port.removeprefix(":") or "123"
    if not host or not re.fullmatch("[0-9]{1,5}", number) or not 0 < int(number) < 65536:
        raise ValueError(
            f"{server!a} is not a server such as ntp.example.org:123 or [2001:db8::1]:123"
        )
    return host, int(number)
