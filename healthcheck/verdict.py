"""Judges what was measured. Pure: samples and a reference in, a verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from healthcheck.interval import Interval
from healthcheck.reference import Reference
from healthcheck.samples import Sample

LIMIT = 1.0  # seconds
DRIFT = 50e-6  # seconds that two clocks may drift apart in a second while we measure
QUARTER = 900.0  # seconds; offsets of time zones are multiples of it

Status = Literal["OK", "Failed", "Unknown"]


class Instance(NamedTuple):
    """What was found out about one instance's clock: its error (its clock minus true time), in seconds."""

    name: str
    error: Interval
    samples: int


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


def judge(samples: Sequence[Sample], reference: Reference, limit: float = LIMIT) -> Verdict:
    """The verdict on all samples so far; `limit` in seconds. Exactly the limit is still OK."""
    usable = [sample for sample in samples if sample.usable]
    by_name: dict[str, list[Sample]] = {}
    for sample in usable:
        by_name.setdefault(sample.instance, []).append(sample)
    for name, own in by_name.items():
        if trouble := _implausible(name, own):
            return trouble
    if reference.kind == "disagree":
        return Verdict(
            "Unknown", "reference_disagree", "the NTP servers contradict each other", True
        )
    instances = sorted(
        (_instance(name, own, reference) for name, own in by_name.items()),
        key=lambda one: _worst_case(one.error),
        reverse=True,
    )
    return _compared(tuple(instances), reference, limit)


def _implausible(name: str, samples: Sequence[Sample]) -> Verdict | None:
    """A clock that stands still or jumps is wrong, whatever it shows."""
    first, last = samples[0], samples[-1]
    if (
        len(samples) > 1
        and last.stated.seconds == first.stated.seconds
        and last.at - first.at > 2 * last.stated.resolution
    ):
        return Verdict("Failed", "frozen", f"{name} states the same time again and again", True)
    common = samples[0].offset
    for sample in samples[1:]:
        slack = DRIFT * (sample.at - first.at)
        common = common.meet(Interval(sample.offset.low - slack, sample.offset.high + slack))
    if common.empty:
        return Verdict("Failed", "inconsistent", f"the clock of {name} jumps", True)
    return None


def _instance(name: str, samples: Sequence[Sample], reference: Reference) -> Instance:
    error = Interval(float("-inf"), float("inf"))
    for sample in samples:
        drift = DRIFT * abs(sample.at - reference.at)
        error = error.meet(
            Interval(
                sample.offset.low - reference.offset.high - drift,
                sample.offset.high - reference.offset.low + drift,
            )
        )
    return Instance(name, error, len(samples))


def _worst_case(error: Interval) -> float:
    return max(abs(error.low), abs(error.high))


def _best_case(error: Interval) -> float:
    return 0.0 if error.low <= 0 <= error.high else min(abs(error.low), abs(error.high))


def _compared(instances: tuple[Instance, ...], reference: Reference, limit: float) -> Verdict:
    if not instances:
        return Verdict("Failed", "undetermined", "no usable sample", False)
    wrong = [one for one in instances if _best_case(one.error) > limit]
    if wrong:
        worst = wrong[0]
        detail = f"the clock of {worst.name} is {described(worst.error)}{hint(worst.error.middle)}"
        order = (*wrong, *(one for one in instances if one not in wrong))
        if reference.kind == "local":
            # Nobody has asked for our own clock to be believed, and one of the two is wrong.
            detail += ", or this machine's own is: no NTP server could be asked"
            return Verdict("Unknown", "clock_off", detail, True, order)
        return Verdict("Failed", "clock_off", detail, True, order)
    worst = instances[0]
    if _worst_case(worst.error) <= limit:
        return Verdict("OK", "ok", f"clock {described(worst.error)}", True, instances)
    return Verdict(
        "Failed",
        "undetermined",
        f"the clock of {worst.name} is {described(worst.error)}: not proven to be within the limit",
        False,
        instances,
    )


def described(error: Interval) -> str:
    """An error with its bound: "+3 ms (+-21 ms)"."""
    return f"{_size(error.middle, '+')} (+-{_size(error.half_width)})"


def _size(seconds: float, sign: str = "") -> str:
    if abs(seconds) >= 10:
        return f"{seconds:{sign},.0f} s"
    if abs(seconds) >= 1:
        return f"{seconds:{sign}.2f} s"
    return f"{seconds * 1e3:{sign}.{0 if abs(seconds) >= 0.01 else 1}f} ms"


def hint(error: float) -> str:
    """What an error of this size usually comes from; "" if nothing comes to mind. `error` in seconds."""
    quarters = round(error / QUARTER)
    if quarters and abs(quarters) <= 56 and abs(error - quarters * QUARTER) < 10:
        return f": looks like a time zone or DST error ({quarters * QUARTER / 3600:+g} h)"
    if error > 1e10:
        return ": looks like milliseconds read as seconds"
    return ""
