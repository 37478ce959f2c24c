"""What a check has measured, before it is judged."""

from typing import Literal, NamedTuple

from healthcheck.clock import OwnClocks
from healthcheck.interval import Interval
from healthcheck.timestamp import Timestamp

# The instance or version of a response that names none.
UNNAMED = "?"
# Seconds that two clocks may drift apart in a second during a check.
DRIFT = 50e-6


class Trouble(Exception):
    """The service gave no usable response. `reason` is a stable identifier; the text is for people.

    by_own_clock: whether the checker's wall clock decided it (the dates of a certificate).
    """

    def __init__(self, reason: str, text: str, by_own_clock: bool = False) -> None:
        super().__init__(text)
        self.reason = reason
        self.by_own_clock = by_own_clock


class Sample(NamedTuple):
    """One response of the service.

    instance, version, zone: the host that sent it, the release that the host runs, and where.
    offset: the host's clock minus ours (`before.epoch` plus the steady clock), in seconds. stated:
    the time in the response. sent, arrived: the steady clock at either end. before, after: our
    clocks then. has_connected: whether it was the first over a new connection.
    """

    instance: str
    offset: Interval
    stated: Timestamp
    sent: float
    arrived: float
    before: OwnClocks
    after: OwnClocks
    has_connected: bool
    version: str = UNNAMED
    zone: str = UNNAMED


class Server(NamedTuple):
    """One NTP server's response, or why there is none.

    offset: true time minus our clock, in seconds. denied: whether it sent a kiss of death.
    """

    name: str
    offset: Interval | None
    trouble: str = ""
    denied: bool = False


Kind = Literal["ntp", "single", "local", "chosen", "disagree"]


class Reference(NamedTuple):
    """True time minus our clock (`own.epoch` plus the steady clock), in seconds.

    kind: ntp (a majority of several servers), single (only one responded), local (none responded:
    our own clock is the reference), chosen (our own clock, by the user's choice), disagree (no
    majority: `offset` is our own clock's, and serves for hints alone). at: the steady clock when it
    was measured. own: our clocks then.
    """

    kind: Kind
    offset: Interval
    at: float
    own: OwnClocks
    servers: tuple[Server, ...] = ()

    @property
    def is_own_clock(self) -> bool:
        return self.kind in ("local", "chosen")

    def is_outvoted(self, server: Server) -> bool:
        """Return whether the majority contradicts the server."""
        if self.kind != "ntp" or server.offset is None:
            return False
        return server.offset.meet(self.offset).is_empty

    def is_comparable(self, sample: Sample) -> bool:
        """Return whether the sample can be measured against this reference.

        The machine must not have slept in between. A wall clock that was set matters only if it is
        the reference.
        """
        return sample.sent <= sample.arrived and all(
            self.own.has_stayed_awake_until(state)
            and (not self.is_own_clock or self.own.has_kept_epoch_until(state))
            for state in (sample.before, sample.after)
        )

    def offset_to(self, sample: Sample) -> Interval:
        """Return the sample's offset to our clock at the time of this reference."""
        return sample.offset.shift(sample.before.epoch - self.own.epoch)

    def error_of(self, sample: Sample) -> Interval:
        """Return the host's clock minus true time, by that sample alone."""
        return self.offset_to(sample).minus(self.offset)


class Reading(NamedTuple):
    """All measurements of one check; trouble: what ended it early, if anything did."""

    samples: tuple[Sample, ...]
    reference: Reference
    trouble: Trouble | None = None
