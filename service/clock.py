"""Is this host's clock right? The rules, without any input or output.

A host must be taken out of service when *its* clock goes wrong, and must not be when the *time server* does: all hosts
ask the same one, and would go down together. The two look alike in one answer ("we differ by 3 s"). They differ in how
the difference came about:

- Our clock was stepped. Then it moved against the monotonic clock, which nobody can step. -> ours
- Our clock drifts. Then the difference grows slowly, from answer to answer. -> ours
- The difference jumps, and our clock did not move against the monotonic clock. -> the server's
- There is no earlier answer: the host has just started. -> ours, the server is believed
- The difference is small enough to serve with. -> nobody's; whatever was held against the server is forgotten

The kernel slews both of our clocks alike, so a drift does not show against the monotonic clock; it needs none.

What no rule can see from here: a pause of the whole virtual machine stops both clocks, and a correction faster than
MAX_DRIFT moves both; either looks like a server that jumped. The healthcheck, which looks from outside, does see it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

LIMIT = 0.5  # seconds; a host further off is taken out of service, long before the promised 1 s
MAX_BOUND = 0.2  # seconds; so that even the worst case, LIMIT + 2 * MAX_BOUND, keeps that promise
MAX_DRIFT = 2000e-6  # 2,000 ppm; the kernel corrects 500 at most, and no crystal needs that
JITTER = 0.05  # seconds by which two honest answers may differ besides their bounds
STARTING = 10.0  # seconds that the first answer may take; then the server counts as silent
STALE = (
    60.0  # seconds without an answer after which the server counts as silent: three lost in a row
)

State = Literal["starting", "synchronised", "wrong", "server_disagrees", "server_silent"]

REASONS: dict[State, str] = {
    "starting": "the time server has not been heard yet",
    "synchronised": "the clock agrees with the time server",
    "wrong": f"the clock is more than {LIMIT} s off",
    "server_disagrees": "the time server has jumped, and this clock has not",
    "server_silent": "the time server does not answer, and nothing is known against the clock",
}
UNHEALTHY: frozenset[State] = frozenset({"starting", "wrong"})


class Moment(NamedTuple):
    """Our two clocks at one moment, in seconds: the one that tells the time, and the one that nobody can step."""

    wall: float
    monotonic: float

    def stepped(self, since: Moment) -> float:
        """Seconds by which our clock was set forward since then."""
        return (self.wall - since.wall) - (self.monotonic - since.monotonic)


class Answer(NamedTuple):
    """One valid answer of the time server.

    offset: true time minus our clock, in seconds, if the server is right.
    bound: how far off `offset` may be, in seconds (RFC 5905's root distance); MAX_BOUND at most.
    at: when it came.
    """

    offset: float
    bound: float
    at: Moment


class Clock(NamedTuple):
    """What is known of our clock. A new value comes from `answered`; `judged` reads it at any moment.

    started: the monotonic clock when we began to ask, in seconds.
    server_fault: seconds by which the server's time jumped without our doing.
    """

    started: float
    newest: Answer | None = None
    server_fault: float = 0.0

    def answered(self, answer: Answer) -> Clock:
        """The knowledge after another answer of the server's."""
        if self.newest is None or abs(answer.offset) - answer.bound <= LIMIT:
            return Clock(self.started, answer)
        jump = answer.offset - (self.newest.offset - answer.at.stepped(self.newest.at))
        elapsed = answer.at.monotonic - self.newest.at.monotonic
        allowance = JITTER + self.newest.bound + answer.bound + MAX_DRIFT * elapsed
        fault = self.server_fault + (jump if abs(jump) > allowance else 0.0)
        return Clock(self.started, answer, fault)

    def offset(self, now: Moment) -> float | None:
        """True time minus our clock, in seconds, without the server's fault; None if never measured."""
        if self.newest is None:
            return None
        return self.newest.offset - self.server_fault - now.stepped(self.newest.at)

    def judged(self, now: Moment) -> State:
        """What to say of our clock now. A step of our own is seen at once, without waiting for the next answer.

        Silence changes nothing but the word for it: a clock that was wrong stays wrong until an answer clears it.
        """
        offset = self.offset(now)
        if self.newest is None or offset is None:
            return "starting" if now.monotonic - self.started < STARTING else "server_silent"
        if abs(offset) - self.newest.bound > LIMIT:
            return "wrong"
        if self.server_fault:
            return "server_disagrees"
        if now.monotonic - self.newest.at.monotonic > STALE:
            return "server_silent"
        return "synchronised"
