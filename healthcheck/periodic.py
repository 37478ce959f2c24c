"""Check again and again: when, and against which reference."""

import random
from collections.abc import Iterator, Sequence

from healthcheck import reference
from healthcheck.clock import read_clocks, steady_time, time_since_boot
from healthcheck.reading import Reference
from healthcheck.waiting import Bell

# The share of the interval that is added at random, at most, so that many checkers do not send
# requests at the same moment.
JITTER = 0.1
# Seconds; a wait of the kernel does not count the time that the machine sleeps.
LONGEST_WAIT = 10.0
# Seconds; the shortest interval that servers of others expect (RFC 5905's MINPOLL).
REFERENCE_AGE = 64.0
# Seconds; pool.ntp.org, whose servers are volunteers', asks this of simple clients.
POOL_AGE = 1800.0


def ticks(every: float, stop: Bell) -> Iterator[None]:
    """Yield at once, and then every `every` seconds until `stop` rings.

    The rate is fixed: the time that a check takes and the jitter do not add up. A check that takes
    longer than the interval skips the turns that it missed. The machine's sleep counts.
    """
    start = time_since_boot()
    turn = 0
    while True:
        yield
        turn = max(turn + 1, int((time_since_boot() - start) / every) + 1)
        due = start + every * (turn + JITTER * random.random())
        while not stop.has_rung and (left := due - time_since_boot()) > 0:
            stop.wait(min(left, LONGEST_WAIT))
        if stop.has_rung:
            return


class SparingReference:
    """True time for check after check, which asks the servers every REFERENCE_AGE seconds at most.

    A server that sent a kiss of death is not asked again.
    """

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = list(servers)
        self._last: Reference | None = None

    def __call__(self, patience: float) -> Reference:
        """Return the last reference while it is valid, else a new one within `patience` seconds."""
        has_pool = any("pool.ntp.org" in name for name in self._servers)
        age = POOL_AGE if has_pool else REFERENCE_AGE
        last = self._last
        if (
            last is None
            or steady_time() - last.at >= age
            or not last.own.has_stayed_awake_until(read_clocks())
        ):
            self._last = last = reference.measure(self._servers, patience)
            denied = {server.name for server in last.servers if server.denied}
            self._servers = [name for name in self._servers if name not in denied]
        # Our own clock may have been set meanwhile, so it is read again.
        return reference.use_own_clock("local", last.servers) if last.is_own_clock else last
