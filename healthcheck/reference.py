"""True time, from NTP servers that are validated and outvote a liar; the checker's own clock only if none answers."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import sntp
from healthcheck.clock import Own, own, steady
from healthcheck.interval import Interval, majority
from healthcheck.reading import DRIFT, Kind, Reference, Server
from healthcheck.waiting import Bell

# These smear a leap second alike (linearly, from noon to noon UTC), as the hosts' own time server does; a server that
# steps would differ from them by up to half a second on such a day.
SERVERS = ("time.aws.com", "time1.google.com", "time2.google.com", "time3.google.com")
TIMEOUT = 1.5  # seconds for all of them, as they are asked at the same time
LOCAL_ERROR = 0.1  # seconds that a clock which its own system keeps is taken to be off at most


def own_clock(kind: Literal["local", "chosen"], servers: Iterable[Server] = ()) -> Reference:
    """The checker's own clock as its own reference, with a declared error."""
    error = Interval(-LOCAL_ERROR, LOCAL_ERROR)
    return Reference(kind, error, steady(), own(), tuple(servers))


def measure(servers: Sequence[str], timeout: float = TIMEOUT) -> Reference:
    """Ask all the servers ("host" or "host:port") at the same time. Never raises; takes `timeout` seconds at most."""
    start, ours = steady(), own()
    servers = list(dict.fromkeys(servers))
    answers: dict[str, Server] = {}
    addresses: dict[str, tuple[str, int]] = {}

    def one(name: str) -> None:
        answer(name)
        bell.ring()

    def answer(name: str) -> None:
        try:
            # A little less, so that what is wrong with an answer is told in time.
            addresses[name], (offset, bound) = _ask(
                name, start + 0.9 * timeout, lambda: ours.epoch + steady()
            )
        except (sntp.NtpError, OSError, ValueError, OverflowError) as trouble:
            denied = isinstance(trouble, sntp.KissOfDeath)
            answers[name] = Server(name, None, str(trouble), denied)
            return
        if not ours.was_awake_until(own()):
            answers[name] = Server(name, None, "this machine slept meanwhile")
            return
        drift = DRIFT * (steady() - start)
        answers[name] = Server(name, Interval(offset, offset).widened(bound + drift))

    with Bell() as bell:
        for name in servers:
            threading.Thread(target=one, args=(name,), daemon=True).start()
        # The DNS knows no timeout: whoever hangs in it is left behind.
        bell.heard(start + timeout - steady(), len(servers))
    found = [answers.get(name, Server(name, None, "no answer in time")) for name in servers]
    return combine(one_vote_each(found, addresses), start, ours)


def one_vote_each(
    servers: Iterable[Server], addresses: Mapping[str, tuple[str, int]]
) -> list[Server]:
    """The servers, of which those are refused that answered at the same address (by name) as one before."""
    voters: dict[tuple[str, int], str] = {}
    counted = []
    for one in servers:
        if one.offset is not None:
            voter = voters.setdefault(addresses[one.name], one.name)
            if voter != one.name:
                one = Server(one.name, None, f"the same server as {voter}")
        counted.append(one)
    return counted


def _ask(
    name: str, until: float, clock: Callable[[], float]
) -> tuple[tuple[str, int], sntp.Answer]:
    """Ask one server, at each of its addresses in turn until one gives a valid answer (a dead IPv6 route, say); returns
    which one did.

    until: on the steady clock, in seconds. clock: ours, which the answer is about; seconds since 1970.
    """
    host, port = sntp.split(name)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    trouble: sntp.NtpError = sntp.NoAnswer("no answer in time")
    while addresses and (left := until - steady()) > 0:
        address = addresses.pop(0)
        try:
            answer = sntp.ask(address, port, left / 2 if addresses else left, clock)
            return (canonical(address), port), answer
        except sntp.KissOfDeath:
            raise  # it wants to be left alone, not to be asked at its next door
        except sntp.NtpError as refused:
            trouble = refused
    raise trouble


def canonical(address: str) -> str:
    """The one of several forms of an address that all others are written as here."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    if parsed.is_unspecified:  # it leads to this machine
        return "127.0.0.1" if parsed.version == 4 else "::1"
    return str(parsed)


def combine(servers: Sequence[Server], at: float, ours: Own) -> Reference:
    """One reference of several answers: what more than half of the valid ones agree on. at, ours: as in Reference."""
    offsets = [server.offset for server in servers if server.offset is not None]
    if not offsets:
        return own_clock("local", servers)
    common = majority(offsets)
    if common is None:
        return Reference("disagree", offsets[0], at, ours, tuple(servers))
    kind: Kind = "single" if len(offsets) == 1 else "ntp"
    return Reference(kind, common, at, ours, tuple(servers))
