"""True time: the majority of several NTP servers, or this machine's clock if none responds."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import sntp
from healthcheck.clock import OwnClocks, read_clocks, steady_time
from healthcheck.interval import Interval, majority
from healthcheck.reading import DRIFT, Kind, Reference, Server
from healthcheck.waiting import Bell

# These servers smear a leap second alike (linearly, from noon to noon UTC), and like the hosts' own
# time server. On such a day, a server that steps would differ from them by up to half a second.
SERVERS = ("time.aws.com", "time1.google.com", "time2.google.com", "time3.google.com")
# Seconds for all of them, which are asked at the same time.
TIMEOUT = 1.5
# Seconds; the assumed error of a clock that its own system keeps.
LOCAL_ERROR = 0.1
# An address and a port.
Address = tuple[str, int]


def use_own_clock(
    kind: Literal["local", "chosen", "disagree"], servers: Iterable[Server] = ()
) -> Reference:
    """Return the checker's own clock as the reference, with an assumed error."""
    error = Interval(-LOCAL_ERROR, LOCAL_ERROR)
    return Reference(kind, error, steady_time(), read_clocks(), tuple(servers))


def measure(servers: Sequence[str], timeout: float) -> Reference:
    """Ask all servers ("host" or "host:port") at the same time, for `timeout` seconds at most.

    Never raises.
    """
    start, own = steady_time(), read_clocks()
    servers = list(dict.fromkeys(servers))
    results: dict[str, Server] = {}
    addresses: dict[str, Address] = {}

    def ask(name: str) -> None:
        try:
            # A little less than the time-out, so that the reason is known in time.
            addresses[name], (offset, bound) = _ask(
                name, start + 0.9 * timeout, lambda: own.epoch + steady_time()
            )
            if not own.has_stayed_awake_until(read_clocks()):
                raise sntp.NtpError("this machine slept during the request")
            drift = DRIFT * (steady_time() - start)
            results[name] = Server(name, Interval(offset, offset).widen(bound + drift))
        except (sntp.NtpError, OSError, ValueError, OverflowError) as error:
            results[name] = Server(name, None, str(error), isinstance(error, sntp.KissOfDeath))
        bell.ring()

    with Bell() as bell:
        for name in servers:
            threading.Thread(target=ask, args=(name,), daemon=True).start()
        # A DNS lookup has no time-out: a thread that hangs in it is left behind.
        bell.wait(start + timeout - steady_time(), len(servers))
    measured = [results.get(name, Server(name, None, "no response in time")) for name in servers]
    # A server has one vote, whatever the number of its names.
    first: dict[Address, str] = {}
    for number, server in enumerate(measured):
        if server.offset is not None:
            name = first.setdefault(addresses[server.name], server.name)
            if name != server.name:
                measured[number] = Server(server.name, None, f"the same server as {name}")
    return combine(measured, start, own)


def _ask(name: str, until: float, clock: Callable[[], float]) -> tuple[Address, sntp.Answer]:
    """Ask each address of a server in turn, until one gives a valid response; return which did.

    until: on the steady clock, in seconds. clock: ours, in seconds since 1970.
    """
    host, port = sntp.split(name)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    complaint = "no response in time"
    while addresses and (left := until - steady_time()) > 0:
        address = addresses.pop(0)
        try:
            answer = sntp.ask(address, port, left / 2 if addresses else left, clock)
            return (canonical_address(address), port), answer
        except sntp.KissOfDeath:
            # A kiss of death holds for all addresses of the server.
            raise
        except sntp.NtpError as error:
            complaint = str(error)
    raise sntp.NtpError(complaint)


def canonical_address(address: str) -> str:
    """Return the one form of an address that stands for all its other forms."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    # The unspecified address leads to this machine.
    if parsed.is_unspecified:
        return "127.0.0.1" if parsed.version == 4 else "::1"
    return str(parsed)


def combine(servers: Sequence[Server], at: float, own: OwnClocks) -> Reference:
    """Return what more than half of the valid servers agree on. at, own: as in Reference."""
    offsets = [server.offset for server in servers if server.offset is not None]
    if not offsets:
        return use_own_clock("local", servers)
    common = majority(offsets)
    if common is None:
        return use_own_clock("disagree", servers)
    kind: Kind = "single" if len(offsets) == 1 else "ntp"
    return Reference(kind, common, at, own, tuple(servers))
