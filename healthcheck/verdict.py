"""Judges what was measured. Pure: a reading in, a verdict out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal, NamedTuple

from healthcheck.interval import Interval
from healthcheck.reading import DRIFT, UNNAMED, Reading, Reference, Sample

LIMIT = 1.0  # seconds
QUARTER = 900.0  # seconds; offsets of time zones are multiples of it
EXACT = Interval(0.0, 0.0)
MAX_TICK = 0.05  # seconds; a clock may tick more coarsely than it is written (Windows: every 16 ms)
MAX_SLEW = 0.1  # seconds a second; chrony's fastest is a twelfth
FARTHEST = 56  # quarters of an hour; the farthest zone is 14 h away from UTC

Status = Literal["OK", "Failed", "Unknown"]


class Instance(NamedTuple):
    """What was found out about one instance's clock: its error (its clock minus true time), in seconds.

    stated: the time that it said last, in seconds since 1970. version: what it runs.
    """

    name: str
    error: Interval
    samples: int
    stated: float
    version: str = UNNAMED


class Verdict(NamedTuple):
    """status: the one word. reason: a stable identifier. detail: the reason for people.

    proven: whether more samples could not change it. instances: the worst first.
    """

    status: Status
    reason: str
    detail: str
    proven: bool
    instances: tuple[Instance, ...] = ()

    @property
    def worst(self) -> Instance | None:
        return self.instances[0] if self.instances else None


def judge(reading: Reading, limit: float = LIMIT) -> Verdict:
    """The verdict on all that was measured so far; `limit` in seconds. Exactly the limit is still OK.

    A clock that is proven wrong stays so, whatever became of the connection afterwards.
    """
    verdict = _clocks(reading, limit)
    trouble, reference = reading.trouble, reading.reference
    if (
        trouble
        and trouble.by_own_clock
        and reference.kind != "disagree"
        and reference.offset.least > limit
    ):
        detail = (
            f"{trouble}; but this machine's own clock is {described(EXACT.minus(reference.offset))}"
        )
        return Verdict("Unknown", "own_clock", detail, True, verdict.instances)
    if trouble and not (verdict.status == "Failed" and verdict.proven):
        return Verdict("Failed", trouble.reason, str(trouble), True, verdict.instances)
    return verdict


def _clocks(reading: Reading, limit: float) -> Verdict:
    reference = reading.reference
    by_name: dict[str, list[Sample]] = {}
    for sample in reading.samples:
        if reference.comparable(sample):
            by_name.setdefault(sample.instance, []).append(sample)
    if not by_name:
        detail = (
            "no sample can be used: this machine's own clock was set, or slept, during the check"
        )
        return Verdict("Unknown", "own_clock", detail, False)
    instances = []
    for name, samples in by_name.items():
        newest = samples[-1]
        guess = hint(reference.error_of(newest).middle, newest.stated.seconds)
        # Without a name, each sample may be another clock's.
        one_clock = name != UNNAMED
        if _stands_still(samples, one_clock):
            detail = f"{name} states the same time again and again{guess}"
            return Verdict("Failed", "frozen", detail, True)
        offset = _offset(samples, reference, one_clock)
        if offset.empty:
            return Verdict("Failed", "inconsistent", f"the clock of {name} jumps{guess}", True)
        error = offset.minus(reference.offset)
        instances.append(Instance(name, error, len(samples), newest.stated.seconds, newest.version))
    if reference.kind == "disagree":
        detail = "the NTP servers contradict each other"
        return Verdict("Unknown", "reference_disagree", detail, True)
    instances.sort(key=lambda one: one.error.most, reverse=True)
    return _compared(instances, reference, limit)


def _stands_still(samples: Sequence[Sample], one_clock: bool) -> bool:
    """Whether a stamp was repeated after a time in which a clock that runs must have moved on.

    Of several clocks, one can come to say what another said before: of those, none must have said anything else.
    """
    if not one_clock and len({one.stated.seconds for one in samples}) > 1:
        return False
    return any(
        later.stated.seconds == earlier.stated.seconds
        and later.sent - earlier.arrived > max(2 * later.stated.resolution, MAX_TICK)
        for earlier, later in itertools.combinations(samples, 2)
    )


def _offset(samples: Sequence[Sample], reference: Reference, one_clock: bool) -> Interval:
    """The clock's offset to ours when the reference was measured; empty if one clock cannot have had all the offsets.

    It is what all samples allow; but what any of them does if they are not of one clock, or of one that is slewed.
    """
    offsets = [
        reference.offset_to(sample).widened(DRIFT * abs(sample.arrived - reference.at))
        for sample in samples
    ]
    lows, highs = [one.low for one in offsets], [one.high for one in offsets]
    common = Interval(max(lows), min(highs))
    if one_clock and (not common.empty or _jumps(samples, reference)):
        return common
    return Interval(min(lows), max(highs))


def _jumps(samples: Sequence[Sample], reference: Reference) -> bool:
    """Whether the clock moved by more than an NTP daemon slews it."""
    for earlier, later in itertools.combinations(samples, 2):
        moved = reference.offset_to(later).minus(reference.offset_to(earlier)).least
        if moved > MAX_SLEW * (later.arrived - earlier.sent) + MAX_TICK:
            return True
    return False


def _compared(instances: list[Instance], reference: Reference, limit: float) -> Verdict:
    wrong = [one for one in instances if one.error.least > limit]
    order = (*wrong, *(one for one in instances if one not in wrong))
    worst = order[0]
    clock = f"the clock of {worst.name} is {described(worst.error)}"
    if wrong:
        detail = clock + hint(worst.error.middle, worst.stated)
        if reference.kind == "local":
            # Nobody has asked for our own clock to be believed, and one of the two is wrong.
            detail += ", or this machine's own is: no NTP server could settle it"
            return Verdict("Unknown", "clock_off", detail, True, order)
        return Verdict("Failed", "clock_off", detail, True, order)
    if worst.error.most <= limit:
        return Verdict("OK", "ok", f"clock {described(worst.error)}", True, order)
    detail = f"{clock}: not proven to be within the limit"
    status: Status = "Unknown" if reference.kind == "local" else "Failed"
    return Verdict(status, "undetermined", detail, False, order)


def described(error: Interval) -> str:
    """An error with its bound: "+3 ms (+-21 ms)"."""
    return f"{_size(error.middle, '+')} (+-{_size(error.half_width)})"


def _size(seconds: float, sign: str = "") -> str:
    if abs(seconds) >= 10:
        return f"{seconds:{sign},.0f} s"
    if abs(seconds) >= 0.9995:  # in ms it would be rounded to 1,000
        return f"{seconds:{sign}.2f} s"
    return f"{seconds * 1e3:{sign}.{0 if abs(seconds) >= 0.01 else 1}f} ms"


def hint(error: float, stated: float) -> str:
    """What an error of this size usually comes from; "" if nothing comes to mind.

    error: in seconds. stated: the time that was said, in seconds since 1970.
    """
    quarters = round(error / QUARTER)
    if 0 < abs(quarters) <= FARTHEST and abs(error - quarters * QUARTER) < 10:
        return f": looks like a time zone or DST error ({quarters * QUARTER / 3600:+g} h)"
    true = stated - error
    if abs(stated * 1000 - true) < 0.01 * abs(true):
        return ": looks like seconds read as milliseconds"
    return ""
