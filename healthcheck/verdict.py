"""Judge what was measured: a reading in, a verdict out."""

import itertools
from collections.abc import Sequence
from typing import Literal, NamedTuple

from healthcheck.coverage import Coverage
from healthcheck.interval import Interval
from healthcheck.reading import DRIFT, UNNAMED, Reading, Reference, Sample

# Seconds.
LIMIT = 1.0
# Seconds; the offsets of time zones are multiples of it, and the farthest is 56 of them (14 h).
QUARTER = 900.0
FARTHEST = 56
# Seconds; a clock may tick more coarsely than it is written (Windows: every 16 ms).
MAX_TICK = 0.05
# Seconds a second; the fastest slew of chrony is a twelfth.
MAX_SLEW = 0.1
ZERO = Interval(0.0, 0.0)

Status = Literal["OK", "Failed", "Unknown"]


class Instance(NamedTuple):
    """One host's clock. error: the clock minus true time, in seconds.

    stated: the last time that the host stated, in seconds since 1970. version: its release. zone:
    where it is.
    """

    name: str
    error: Interval
    samples: int
    stated: float
    version: str = UNNAMED
    zone: str = UNNAMED


class Verdict(NamedTuple):
    """status: one word. reason: a stable identifier. detail: the reason for people.

    is_final: whether more samples could not change it. instances: the worst first.
    """

    status: Status
    reason: str
    detail: str
    is_final: bool
    instances: tuple[Instance, ...] = ()

    @property
    def worst(self) -> Instance | None:
        return self.instances[0] if self.instances else None


def judge(reading: Reading, limit: float = LIMIT) -> Verdict:
    """Judge all samples so far. An error of exactly `limit` seconds is OK.

    A clock that is proven wrong stays so, whatever happens to the connection afterwards.
    """
    verdict = _judge_clocks(reading, limit)
    trouble, reference = reading.trouble, reading.reference
    if not trouble:
        return verdict
    is_own_clock_wrong = reference.kind != "disagree" and reference.offset.least > limit
    if trouble.by_own_clock and is_own_clock_wrong:
        own_error = format_error(ZERO.minus(reference.offset))
        detail = f"{trouble}; but this machine's own clock is {own_error}"
        return Verdict("Unknown", "own_clock", detail, True, verdict.instances)
    if verdict.status == "Failed" and verdict.is_final:
        return verdict
    return Verdict("Failed", trouble.reason, str(trouble), True, verdict.instances)


def judge_coverage(verdict: Verdict, coverage: Coverage, *, strict: bool = False) -> Verdict:
    """Return the verdict, or one that names the lack of hosts, which is Failed if `strict`."""
    if verdict.status != "OK" or coverage.is_complete:
        return verdict
    status: Status = "Failed" if strict else "OK"
    if coverage.seen < coverage.expected:
        lack = f"only {coverage.seen} of {coverage.expected} hosts responded"
    else:
        lack = (
            f"another host may be missed with a probability of {coverage.miss_probability:.2g} "
            f"(connections: {coverage.connections})"
        )
    return verdict._replace(
        status=status, reason="too_few", detail=f"{verdict.detail}; {lack}", is_final=False
    )


def _judge_clocks(reading: Reading, limit: float) -> Verdict:
    reference = reading.reference
    by_name: dict[str, list[Sample]] = {}
    for sample in reading.samples:
        if reference.is_comparable(sample):
            by_name.setdefault(sample.instance, []).append(sample)
    if not by_name:
        detail = "no sample can be used: this machine slept, or its clock was set, during the check"
        return Verdict("Unknown", "own_clock", detail, False)
    instances = []
    for name, samples in by_name.items():
        newest = samples[-1]
        host = _format_host(name, newest.zone)
        cause = likely_cause(reference.error_of(newest).middle, newest.stated.seconds)
        # Samples without a name may come from several clocks.
        is_one_clock = name != UNNAMED
        if _is_frozen(samples, is_one_clock):
            detail = f"{host} states the same time again and again{cause}"
            return Verdict("Failed", "frozen", detail, True)
        offset = _offset(samples, reference, is_one_clock)
        if offset.is_empty:
            return Verdict("Failed", "inconsistent", f"the clock of {host} jumps{cause}", True)
        instances.append(
            Instance(
                name=name,
                error=offset.minus(reference.offset),
                samples=len(samples),
                stated=newest.stated.seconds,
                version=newest.version,
                zone=newest.zone,
            )
        )
    if reference.kind == "disagree":
        detail = "the NTP servers contradict each other"
        return Verdict("Unknown", "reference_disagree", detail, True)
    instances.sort(key=lambda instance: instance.error.most, reverse=True)
    return _compare_with_limit(instances, reference, limit)


def _is_frozen(samples: Sequence[Sample], is_one_clock: bool) -> bool:
    """Return whether a stamp was repeated after a running clock must have moved on.

    With several unnamed clocks, report a standstill only if all stamps are equal.
    """
    if not is_one_clock and len({sample.stated.seconds for sample in samples}) > 1:
        return False
    first: dict[float, Sample] = {}
    for sample in samples:
        earlier = first.setdefault(sample.stated.seconds, sample)
        if sample.sent - earlier.arrived > max(2 * sample.stated.resolution, MAX_TICK):
            return True
    return False


def _offset(samples: Sequence[Sample], reference: Reference, is_one_clock: bool) -> Interval:
    """Return the clock's offset to ours at the time of the reference.

    For one clock it is what all samples have in common, and empty if the clock jumped. For a clock
    that is slewed, or for several clocks, it is the span of all samples.
    """
    offsets = [
        reference.offset_to(sample).widen(DRIFT * abs(sample.arrived - reference.at))
        for sample in samples
    ]
    lows, highs = [offset.low for offset in offsets], [offset.high for offset in offsets]
    common = Interval(max(lows), min(highs))
    if is_one_clock and (not common.is_empty or _has_jumped(samples, reference)):
        return common
    return Interval(min(lows), max(highs))


def _has_jumped(samples: Sequence[Sample], reference: Reference) -> bool:
    """Return whether the clock moved by more than an NTP daemon slews it."""
    for earlier, later in itertools.combinations(samples, 2):
        moved = reference.offset_to(later).minus(reference.offset_to(earlier)).least
        if moved > MAX_SLEW * (later.arrived - earlier.sent) + MAX_TICK:
            return True
    return False


def _compare_with_limit(instances: list[Instance], reference: Reference, limit: float) -> Verdict:
    wrong = [instance for instance in instances if instance.error.least > limit]
    # A clock that is proven wrong comes before one that may be worse.
    order = (*wrong, *(instance for instance in instances if instance not in wrong))
    worst = order[0]
    clock = f"{_format_host(worst.name, worst.zone)} is {format_error(worst.error)}"
    if wrong:
        detail = clock + likely_cause(worst.error.middle, worst.stated)
        if reference.kind == "local":
            # One of the two clocks is wrong, and the user has not chosen to trust ours.
            detail += ", or this machine's own clock is wrong: no NTP server answered to decide"
            return Verdict("Unknown", "clock_off", detail, True, order)
        return Verdict("Failed", "clock_off", detail, True, order)
    if worst.error.most <= limit:
        return Verdict("OK", "ok", f"worst {_format_interval(worst.error)}", True, order)
    detail = f"{clock}, which is not proven to be within the limit"
    status: Status = "Unknown" if reference.kind == "local" else "Failed"
    return Verdict(status, "undetermined", detail, False, order)


def _format_host(name: str, zone: str) -> str:
    if name == UNNAMED:
        return "the host"
    return f"host {name}" if zone == UNNAMED else f"host {name} ({zone})"


def format_error(error: Interval) -> str:
    """Format an error with its bound: "2.00 s fast (+-8 ms)"."""
    direction = "slow" if error.middle < 0 else "fast"
    return (
        f"{_format_seconds(abs(error.middle))} {direction} (+-{_format_seconds(error.half_width)})"
    )


def _format_interval(error: Interval) -> str:
    """Format an error with its bound: "+3 ms (+-21 ms)"."""
    return f"{_format_seconds(error.middle, '+')} (+-{_format_seconds(error.half_width)})"


def _format_seconds(seconds: float, sign: str = "") -> str:
    if abs(seconds) >= 10:
        return f"{seconds:{sign},.0f} s"
    # In milliseconds it would be rounded to 1,000.
    if abs(seconds) >= 0.9995:
        return f"{seconds:{sign}.2f} s"
    digits = 0 if abs(seconds) >= 0.01 else 1
    return f"{seconds * 1e3:{sign}.{digits}f} ms"


def likely_cause(error: float, stated: float) -> str:
    """Return what usually causes an error of this size, as the end of a sentence, or "".

    error: in seconds. stated: the time that the service stated, in seconds since 1970.
    """
    quarters = round(error / QUARTER)
    if 0 < abs(quarters) <= FARTHEST and abs(error - quarters * QUARTER) < 10:
        return f": looks like a time zone or DST error ({quarters * QUARTER / 3600:+g} h)"
    true = stated - error
    if abs(stated * 1000 - true) < 0.01 * abs(true):
        return ": looks like seconds read as milliseconds"
    return ""
