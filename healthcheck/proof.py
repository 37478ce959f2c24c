"""Explains a verdict: each answer as an interval, each NTP server's, and what they have in common. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from healthcheck.check import Result
from healthcheck.interval import Interval
from healthcheck.reading import Reference, Sample
from healthcheck.timestamp import utc

KINDS = {
    "ntp": "what more than half of the servers that answered hold",
    "single": "the one server that answered",
    "local": "our own clock, as no server answered",
    "chosen": "our own clock, as asked",
    "disagree": "no majority: the servers contradict each other",
}


def text(result: Result) -> str:
    """Several lines; intervals are in milliseconds."""
    return "\n".join(_lines(result))


def _lines(result: Result) -> Iterator[str]:
    reading = result.reading
    yield from _reference(reading.reference)
    yield "answers (the service's clock minus ours, whatever the delay of either way):"
    for number, sample in enumerate(reading.samples, 1):
        yield f"  {number}  {_sample(sample, reading.reference)}"
    if reading.trouble:
        yield f"  then: {reading.trouble}"
    if not reading.samples and not reading.trouble:
        yield "  none"
    yield "error (what all answers of an instance allow, minus the reference, plus 50 ppm for the time between):"
    for one in result.verdict.instances:
        yield f"  {one.name}  {_interval(one.error)}  {_against(one.error, result.limit)}"
    yield f"verdict: {result.verdict.status} ({result.verdict.reason}), {'' if result.verdict.proven else 'not '}proven"


def _reference(reference: Reference) -> Iterator[str]:
    yield "reference (true time minus our clock):"
    width = max((len(one.name) for one in reference.servers), default=0)
    for one in reference.servers:
        told = _interval(one.offset) if one.offset else f"not used: {one.trouble}"
        yield f"  {one.name:<{width}}  {told}"
    # What the servers say means nothing when they contradict each other.
    found = "" if reference.kind == "disagree" else f"{_interval(reference.offset)}  "
    yield f"  => {found}{KINDS[reference.kind]}"


def _sample(sample: Sample, reference: Reference) -> str:
    took = (sample.arrived - sample.sent) * 1e3
    unused = "  not used: our own clock was set, or slept, meanwhile"
    unsteady = "" if reference.comparable(sample) else unused
    return (
        f"{sample.instance}  {_interval(reference.offset_to(sample))}  said {utc(sample.stated.seconds)}, to "
        f"{sample.stated.resolution:g} s, within {took:.3f} ms{unsteady}"
    )


def _interval(interval: Interval) -> str:
    return f"[{interval.low * 1e3:+.3f}, {interval.high * 1e3:+.3f}] ms"


def _against(error: Interval, limit: float) -> str:
    if error.most <= limit:
        return f"within {limit:g} s"
    return f"beyond {limit:g} s" if error.least > limit else f"on both sides of {limit:g} s"
