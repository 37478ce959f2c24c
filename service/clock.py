"""Whether this host's clock is right: the rules, without any input or output.

A host must leave service when its own clock goes wrong, and must stay when the time server does.
All hosts ask the same server, so they would otherwise leave together. One response shows only that
the two clocks differ. The way in which the difference arose shows which clock is wrong:

- Our clock was stepped: it moved against the monotonic clock, which cannot be set. -> ours
- Our clock drifts: the difference grows slowly, from response to response. -> ours
- The difference jumps, and our clock did not move against the monotonic clock. -> the server's
- There is no earlier response, because the host has just started. -> ours; the server is believed
- The difference is small enough to serve. -> neither; an earlier fault of the server is forgotten

The kernel slews both of our clocks alike, so a drift does not show against the monotonic clock.

Two events look like a jump of the server: a pause of the whole virtual machine, which stops both
clocks, and a correction faster than MAX_DRIFT. The healthcheck sees them from outside.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

# Seconds. A host further off is taken out of service, long before the promised 1 s.
LIMIT = 0.5
# Seconds. The worst case, LIMIT + 2 * MAX_BOUND, still keeps that promise: an offset may exceed
# LIMIT by its bound before the host counts as wrong, and the true error exceeds it by another.
MAX_BOUND = 0.2
# 2,000 ppm. The kernel corrects by 500 at most, and no crystal needs more.
MAX_DRIFT = 2000e-6
# Seconds by which two correct measurements may differ besides their bounds.
JITTER = 0.05
# Seconds until the first response is due. After that, the server counts as silent.
STARTING = 10.0
# Seconds without a response after which the server counts as silent: three lost in a row.
STALE = 60.0

State = Literal["starting", "synchronised", "wrong", "server_disagrees", "server_silent"]

REASONS: dict[State, str] = {
    "starting": "the time server has not responded yet",
    "synchronised": "the clock agrees with the time server",
    "wrong": f"the clock is more than {LIMIT} s off",
    "server_disagrees": "the time server has jumped, and this clock has not",
    "server_silent": "the time server does not respond, and the clock is not known to be wrong",
}
UNHEALTHY: frozenset[State] = frozenset({"starting", "wrong"})


class Moment(NamedTuple):
    """Readings of our two clocks at one moment, in seconds. Only `wall` can be set."""

    wall: float
    monotonic: float

    def step_since(self, earlier: Moment) -> float:
        """Return by how many seconds our clock was set forward since the earlier moment."""
        return (self.wall - earlier.wall) - (self.monotonic - earlier.monotonic)


class Measurement(NamedTuple):
    """A valid response of the time server.

    offset: true time minus our clock, in seconds, if the server is right.
    bound: the largest error of `offset`, in seconds (RFC 5905's root distance); at most MAX_BOUND.
    at: when the response arrived.
    """

    offset: float
    bound: float
    at: Moment


class Clock(NamedTuple):
    """What is known of our clock. The value never changes; `update` returns a new one.

    started: reading of the monotonic clock when the first request was due, in seconds.
    server_fault: seconds by which the server's time jumped while ours did not.
    """

    started: float
    newest: Measurement | None = None
    server_fault: float = 0.0

    def update(self, measurement: Measurement) -> Clock:
        """Return what is known after another measurement."""
        if self.newest is None or abs(measurement.offset) - measurement.bound <= LIMIT:
            return Clock(self.started, measurement)
        step = measurement.at.step_since(self.newest.at)
        jump = measurement.offset - (self.newest.offset - step)
        elapsed = measurement.at.monotonic - self.newest.at.monotonic
        allowance = JITTER + self.newest.bound + measurement.bound + MAX_DRIFT * elapsed
        fault = self.server_fault + (jump if abs(jump) > allowance else 0.0)
        return Clock(self.started, measurement, fault)

    def offset_at(self, now: Moment) -> float | None:
        """Return true time minus our clock, in seconds, without the server's fault.

        None without a measurement.
        """
        if self.newest is None:
            return None
        return self.newest.offset - self.server_fault - now.step_since(self.newest.at)

    def state_at(self, now: Moment) -> State:
        """Return the state of our clock. A step of our own shows without another measurement.

        Silence of the server does not clear a wrong clock: only a measurement does.
        """
        offset = self.offset_at(now)
        if self.newest is None or offset is None:
            return "starting" if now.monotonic - self.started < STARTING else "server_silent"
        if abs(offset) - self.newest.bound > LIMIT:
            return "wrong"
        if self.server_fault:
            return "server_disagrees"
        if now.monotonic - self.newest.at.monotonic > STALE:
            return "server_silent"
        return "synchronised"
