"""True time, from NTP servers that are validated and outvote a liar; the checker's own clock only if none answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

import sntp
from healthcheck.interval import Interval, agreement

# These smear a leap second alike (linearly, from noon to noon UTC), as the hosts' own time server does; a server that
# steps would differ from them by up to half a second on such a day.
SERVERS = ("time.aws.com", "time1.google.com", "time2.google.com", "time3.google.com")
TIMEOUT = 1.5  # seconds for all of them, as they are asked at the same time
LOCAL_ERROR = 0.1  # seconds that a clock which its own system keeps is taken to be off at most


class Server(NamedTuple):
    """One server's answer, or why there is none: offset (true minus own clock) as an interval, in seconds."""

    name: str
    offset: Interval | None
    trouble: str = ""


Kind = Literal["ntp", "single", "local", "chosen", "disagree"]


class Reference(NamedTuple):
    """What true time minus the checker's own clock is.

    kind: ntp (a majority of several servers), single (only one answered), local (none did, the own clock
    stands in), chosen (the own clock, because the user said so), disagree (no majority: `offset` means nothing).
    at: the steady clock (perf_counter) when it was measured, in seconds.
    """

    kind: Kind
    offset: Interval
    at: float
    servers: tuple[Server, ...] = ()


def own_clock(kind: Literal["local", "chosen"], servers: Sequence[Server] = ()) -> Reference:
    """The checker's own clock as its own reference, with a declared error."""
    return Reference(kind, Interval(-LOCAL_ERROR, LOCAL_ERROR), time.perf_counter(), tuple(servers))


def measure(servers: Sequence[str], timeout: float = TIMEOUT) -> Reference:
    """Ask all the servers at the same time, once each. Never raises; takes `timeout` seconds at most."""
    answers: dict[str, Server] = {}

    def one(name: str) -> None:
        try:
            offset, bound = sntp.ask(*sntp.split(name), timeout=timeout)
        except sntp.NtpError as trouble:
            answers[name] = Server(name, None, str(trouble))
        else:
            answers[name] = Server(name, Interval(offset - bound, offset + bound))

    threads = [threading.Thread(target=one, args=(name,), daemon=True) for name in servers]
    for thread in threads:
        thread.start()
    deadline = time.perf_counter() + timeout
    for thread in threads:  # the DNS knows no timeout: whoever hangs in it is left behind
        thread.join(max(0.0, deadline - time.perf_counter()))
    return combine([answers.get(name, Server(name, None, "no answer in time")) for name in servers])


def combine(servers: Sequence[Server]) -> Reference:
    """One reference of several answers: what more than half of the valid ones agree on."""
    offsets = [server.offset for server in servers if server.offset is not None]
    if not offsets:
        return own_clock("local", servers)
    common, count = agreement(offsets)
    kind: Kind = (
        "single" if len(offsets) == 1 else "ntp" if count * 2 > len(offsets) else "disagree"
    )
    return Reference(kind, common, time.perf_counter(), tuple(servers))
