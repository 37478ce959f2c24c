"""The proof of a verdict: each response and each NTP server as an interval, and what they share."""

from collections.abc import Iterator

from healthcheck.check import Result
from healthcheck.interval import Interval
from healthcheck.reading import Reference, Sample
from healthcheck.timestamp import format_utc
from healthcheck.url import remove_credentials

KINDS = {
    "ntp": "a majority of the servers that responded",
    "single": "the only server that responded",
    "local": "this machine's clock, because no server responded",
    "chosen": "this machine's clock, by choice",
    "disagree": "no majority: the servers contradict each other",
}


def render(result: Result) -> str:
    """Return several lines; intervals are in milliseconds."""
    return "\n".join(_format_lines(result))


def _format_lines(result: Result) -> Iterator[str]:
    reading, verdict = result.reading, result.verdict
    yield f"check of {remove_credentials(result.url)}"
    yield from _format_reference(reading.reference)
    yield "responses (the service's clock minus this machine's, whatever the delay each way):"
    for number, sample in enumerate(reading.samples, 1):
        yield f"  {number}  {_format_sample(sample, reading.reference)}"
    if reading.trouble:
        yield f"  then: {reading.trouble}"
    yield (
        "error (the offset that all responses of a host share, minus the reference, "
        "plus 50 ppm of the time between both):"
    )
    for instance in verdict.instances:
        side = _compare(instance.error, result.limit)
        yield f"  {instance.name}  {_format_interval(instance.error)}  {side} {result.limit:g} s"
    coverage = result.coverage
    yield (
        f"coverage: {coverage.seen} hosts seen ({coverage.expected} expected) over "
        f"{coverage.connections} connections, which miss another host "
        f"with an equal share with a probability of {coverage.miss_probability:.2g}"
    )
    yield f"verdict: {verdict.status} ({verdict.reason}), {_describe_basis(result)}"


def _describe_basis(result: Result) -> str:
    if not result.verdict.is_final:
        return "not proven"
    return "assumed" if result.reading.reference.is_own_clock else "proven"


def _format_reference(reference: Reference) -> Iterator[str]:
    yield "reference (true time minus this machine's clock):"
    width = max((len(server.name) for server in reference.servers), default=0)
    for server in reference.servers:
        text = _format_interval(server.offset) if server.offset else f"not used: {server.trouble}"
        if reference.is_outvoted(server):
            text += "  outvoted"
        yield f"  {server.name:<{width}}  {text}"
    # Servers that contradict each other give no interval.
    interval = "" if reference.kind == "disagree" else f"{_format_interval(reference.offset)}  "
    yield f"  => {interval}{KINDS[reference.kind]}"


def _format_sample(sample: Sample, reference: Reference) -> str:
    took = (sample.arrived - sample.sent) * 1e3
    line = (
        f"{sample.instance}  {_format_interval(reference.offset_to(sample))}  "
        f"stated {format_utc(sample.stated.seconds)}, to {sample.stated.resolution:g} s, "
        f"within {took:.3f} ms"
    )
    if reference.is_comparable(sample):
        return line
    return f"{line}  not used: this machine slept, or its clock was set, in between"


def _format_interval(interval: Interval) -> str:
    return f"[{interval.low * 1e3:+.3f}, {interval.high * 1e3:+.3f}] ms"


def _compare(error: Interval, limit: float) -> str:
    if error.most <= limit:
        return "within"
    return "beyond" if error.least > limit else "on both sides of"
