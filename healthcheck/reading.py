"""What a check has measured, before anybody judges it. Pure data."""

from __future__ import annotations

from typing import Literal, NamedTuple

from healthcheck.clock import Own
from healthcheck.interval import Interval
from healthcheck.timestamp import Timestamp

UNNAMED = "?"  # an answer's instance or version, where the service does not say
DRIFT = 50e-6  # seconds that two clocks may drift apart in a second while we measure


class Trouble(Exception):
    """The service gave no usable answer. `reason` is a stable identifier, the text says it for people.

    by_own_clock: whether our wall clock has judged it (a certificate's dates).
    """

    def __init__(self, reason: str, text: str, by_own_clock: bool = False) -> None:
        super().__init__(text)
        self.reason = reason
        self.by_own_clock = by_own_clock


class Sample(NamedTuple):
    """One answer of the service's.

    instance: which host gave it. offset: its clock minus ours (`before.epoch` and the steady clock), in seconds.
    stated: the time it said. sent, arrived: our steady clock at either end, in seconds. before, after: our clocks then.
    version: what the instance runs, as it says.
    """

    instance: str
    offset: Interval
    stated: Timestamp
    sent: float
    arrived: float
    before: Own
    after: Own
    version: str = UNNAMED


class Server(NamedTuple):
    """One NTP server's answer, or why there is none.

    offset: true minus own clock, as an interval, in seconds. denied: whether it wants to be left alone.
    """

    name: str
    offset: Interval | None
    trouble: str = ""
    denied: bool = False


Kind = Literal["ntp", "single", "local", "chosen", "disagree"]


class Reference(NamedTuple):
    """What true time minus our own clock (`own.epoch` and the steady clock) is.

    kind: ntp (a majority of several servers), single (only one answered), local (none did, the own clock
    stands in), chosen (the own clock, because the user said so), disagree (no majority: `offset` means nothing).
    at: our steady clock when it was measured, in seconds. own: our clocks at that moment.
    """

    kind: Kind
    offset: Interval
    at: float
    own: Own
    servers: tuple[Server, ...] = ()

    @property
    def is_own_clock(self) -> bool:
        return self.kind in ("local", "chosen")

    def comparable(self, sample: Sample) -> bool:
        """Whether the sample can be measured against this.

        The machine must not have slept in between. That our wall clock was set matters only if it is the reference.
        """
        awake = all(self.own.was_awake_until(one) for one in (sample.before, sample.after))
        same = all(self.own.was_not_set_until(one) for one in (sample.before, sample.after))
        return awake and (same or not self.is_own_clock) and sample.arrived >= sample.sent

    def offset_to(self, sample: Sample) -> Interval:
        """The sample's offset to our clock as it was when this was measured."""
        return sample.offset.moved(sample.before.epoch - self.own.epoch)

    def error_of(self, sample: Sample) -> Interval:
        """The service's clock minus true time, by that sample alone."""
        return self.offset_to(sample).minus(self.offset)


class Reading(NamedTuple):
    """All that one check has measured; trouble: what ended it early, if anything did."""

    samples: tuple[Sample, ...]
    reference: Reference
    trouble: Trouble | None = None
