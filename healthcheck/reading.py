"""What a check has measured, before anybody judges it. Pure data, but for `own_epoch`."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

from healthcheck.interval import Interval
from healthcheck.timestamp import Timestamp

UNNAMED = "?"  # an answer's instance, where the service does not say
DRIFT = 50e-6  # seconds that two clocks may drift apart in a second while we measure
MAX_STEP = 0.005  # seconds; what our wall clock moves by more than this, somebody has set it by


class Trouble(Exception):
    """The service gave no usable answer. `reason` is a stable identifier, the text says it for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Sample(NamedTuple):
    """One answer of the service's.

    instance: which host gave it. offset: its clock minus ours, in seconds. stated: the time it said.
    sent, arrived: our steady clock (perf_counter) at either end, in seconds. epoch: `own_epoch` before it was sent.
    steady: False if our own clock was set in the meantime.
    """

    instance: str
    offset: Interval
    stated: Timestamp
    sent: float
    arrived: float
    epoch: float
    steady: bool = True


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
    """What true time minus the checker's own clock is.

    kind: ntp (a majority of several servers), single (only one answered), local (none did, the own clock
    stands in), chosen (the own clock, because the user said so), disagree (no majority: `offset` means nothing).
    at: our steady clock (perf_counter) when it was measured, in seconds. epoch: `own_epoch` at that moment.
    """

    kind: Kind
    offset: Interval
    at: float
    epoch: float
    servers: tuple[Server, ...] = ()


class Reading(NamedTuple):
    """All that one check has measured; trouble: what ended it early, if anything did."""

    samples: tuple[Sample, ...]
    reference: Reference
    trouble: Trouble | None = None


def own_epoch() -> float:
    """When our steady clock stood at zero, by our wall clock (seconds). It changes only if the wall clock is set."""
    # An interruption between the two makes the difference smaller; it will not come three times.
    return max(time.time() - time.perf_counter() for _ in range(3))
