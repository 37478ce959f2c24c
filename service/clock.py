"""Is this host's clock right? The rules, without any input or output.

A host must be taken out of service when *its* clock goes wrong, and must not be when the *time server* does: all hosts
ask the same one, and would go down together. The two look alike in one answer ("we differ by 3 s"). They differ in how
the difference came about:

- Our clock was stepped. Then it moved against the monotonic clock, which nobody can step. -> ours
- Our clock drifts. Then the difference grows slowly, from answer to answer. -> ours
- The difference jumps, and our clock did not move against the monotonic clock. -> the server's

The kernel slews both of our clocks alike, so a drift does not show against the monotonic clock; it needs none.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

LIMIT = 0.5  # seconds; a host further off is taken out of service, long before the promised 1 s
MAX_DRIFT = (
    2000e-6  # 2,000 ppm, four times what the kernel corrects at most: more than any crystal drifts
)
JITTER = 0.05  # seconds by which two honest answers may differ besides their bounds
STALE = 300.0  # seconds after which an answer says little about now


class Answer(NamedTuple):
    """One valid answer of the time server.

    offset: true time minus our clock, in seconds, if the server is right.
    bound: how far off `offset` may be, in seconds (half the delay, and the server's own root distance).
    wall, monotonic: our two clocks when the answer came, in seconds.
    """

    offset: float
    bound: float
    wall: float
    monotonic: float


State = Literal["starting", "synchronised", "wrong", "server_disagrees", "server_silent"]


class Clock(NamedTuple):
    """What is known of our clock. A new value comes from `answered`; `judged` reads it at any moment."""

    newest: Answer | None = None
    server_fault: float = 0.0  # seconds by which the server's time jumped without our doing

    def answered(self, answer: Answer) -> Clock:
        """The knowledge after another answer of the server's."""
        if self.newest is None or abs(answer.offset) <= JITTER + answer.bound:
            # The first answer is all there is to go by; and that a wrong server and a wrong clock agree
            # to this precision would be a miracle.
            return Clock(answer)
        jump = answer.offset - (self.newest.offset - self._stepped(self.newest, *answer[2:]))
        elapsed = answer.monotonic - self.newest.monotonic
        allowance = JITTER + self.newest.bound + answer.bound + MAX_DRIFT * elapsed
        fault = self.server_fault + (jump if abs(jump) > allowance else 0.0)
        return Clock(answer, fault if abs(fault) > JITTER + answer.bound else 0.0)

    @staticmethod
    def _stepped(since: Answer, wall: float, monotonic: float) -> float:
        """Seconds by which our clock was set forward since that answer."""
        return (wall - since.wall) - (monotonic - since.monotonic)

    def offset(self, wall: float, monotonic: float) -> float | None:
        """True time minus our clock, in seconds, without the server's fault; None if never measured."""
        if self.newest is None:
            return None
        return self.newest.offset - self.server_fault - self._stepped(self.newest, wall, monotonic)

    def judged(self, wall: float, monotonic: float) -> State:
        """What to say of our clock at this moment of our two clocks (seconds).

        A step of our own clock is seen at once, without waiting for the next answer.
        """
        offset = self.offset(wall, monotonic)
        if self.newest is None or offset is None:
            return "starting"
        if abs(offset) - self.newest.bound > LIMIT:
            return "wrong"
        if self.server_fault:
            return "server_disagrees"
        if monotonic - self.newest.monotonic > STALE:
            return "server_silent"
        return "synchronised"
