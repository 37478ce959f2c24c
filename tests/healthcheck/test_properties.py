"""Properties that hold for every input; hypothesis tries each of them in `make unit`."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from hypothesis import assume, event, given
from hypothesis import strategies as st

import sntp
from healthcheck.clock import OwnClocks
from healthcheck.interval import Interval, majority
from healthcheck.reading import Reading, Sample, Server, Trouble
from healthcheck.reference import combine
from healthcheck.samples import parse_answer
from healthcheck.timestamp import BadTimestamp, Timestamp, format_utc, parse
from healthcheck.url import BadUrl, complete_url, remove_credentials
from healthcheck.verdict import format_error, judge, likely_cause
from service.app import create_app
from service.timeserver import Monitor
from tests.support.healthcheck_servers import packet_at

Given = TypeVar("Given")
Found = TypeVar("Found")
Refusal = TypeVar("Refusal", bound=Exception)

NOW = 1_795_348_800.0  # 2026-11-22T12:00:00Z
TICK = 1e-6  # seconds; what floats can tell apart at today's number of seconds, twice
seconds = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.floats(-10, 10)
intervals = st.builds(
    lambda first, other: Interval(min(first, other), max(first, other)), numbers, numbers
)
delays = st.floats(0, 2)  # seconds
texts = st.text() | st.from_regex(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d([.,]\d{0,10})?(Z|[+-]\d\d:?\d\d)?"
)


def attempt(
    call: Callable[[Given], Found], given: Given, refusal: type[Refusal]
) -> Found | Refusal:
    """Return what the call returns, or its refusal. Any other exception is an error."""
    try:
        return call(given)
    except refusal as refused:
        return refused


def is_plain(text: str) -> bool:
    """Return whether the text can be printed anywhere, on one line."""
    return 0 < len(text) < 500 and text.isascii() and text.isprintable()


def holds(interval: Interval, value: float) -> bool:
    return interval.low - TICK <= value <= interval.high + TICK


# --- timestamps


@given(texts)
def test_any_text_is_a_moment_or_is_refused_in_plain_words(text: str) -> None:
    common = attempt(parse, text, BadTimestamp)
    if isinstance(common, BadTimestamp):
        assert is_plain(str(common))
    else:
        assert math.isfinite(common.seconds)
        assert 1e-9 <= common.resolution <= 1
        format_utc(common.seconds)


moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moments, zones, st.integers(0, 6), st.sampled_from("Tt "), st.sampled_from(".,"))
def test_a_moment_lies_between_its_stamp_and_the_next(
    moment: datetime, zone: timezone, digits: int, letter: str, point: str
) -> None:
    exact = moment.replace(tzinfo=zone)
    fraction = f"{point}{exact.microsecond:06}"[: digits + 1] if digits else ""
    stamp = f"{exact:%Y-%m-%d}{letter}{exact:%H:%M:%S}{fraction}{exact.isoformat()[-6:]}"
    common = parse(stamp)
    truth = (exact - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    assert holds(Interval(common.seconds, common.seconds + common.resolution), truth)


# --- answers of services


@given(
    st.binary(max_size=300)
    | texts.map(lambda text: b'{"now": "%s"}' % text.encode("utf-8", "replace"))
)
def test_any_body_is_parsed_or_is_refused_in_plain_words(body: bytes) -> None:
    common = attempt(parse_answer, body, Trouble)
    if isinstance(common, Trouble):
        assert common.reason == "body"
        assert is_plain(str(common))
    else:
        stamp, *names = common
        assert math.isfinite(stamp.seconds)
        assert all(is_plain(name) and len(name) <= 64 for name in names)


@given(st.text() | st.from_regex(r"\w{1,6}://(\w+(:\w*)?@)?[\w.:\[\]%]*(/\w*)?"))
def test_any_url_is_completed_or_is_refused_without_repeating_it(text: str) -> None:
    url = attempt(complete_url, text, BadUrl)
    if isinstance(url, BadUrl):
        assert len(text) < 8 or text not in str(url)
    else:
        assert complete_url(url) == url
        assert url.startswith(("http://", "https://"))
        assert "@" not in remove_credentials(url).split("/")[2]


# --- answers of NTP servers


@given(st.binary(max_size=80) | st.binary(min_size=48, max_size=48), seconds, st.floats(0, 10))
def test_any_packet_is_an_answer_or_is_refused(data: bytes, sent: float, elapsed: float) -> None:
    try:
        answer = sntp.read(data, sent, elapsed)
    except sntp.NtpError:
        return
    event("accepted")
    assert math.isfinite(answer.offset)
    assert 0 <= answer.bound <= 0.5


@given(
    st.floats(-1e8, 1e8),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 0.1),
    st.floats(0, 0.2),
    st.floats(0, 0.2),
    st.floats(-1, 1),
    st.integers(-24, -4),
)
def test_the_truth_lies_inside_the_root_distance(
    own_error: float,
    out: float,
    back: float,
    busy: float,
    root_delay: float,
    root_dispersion: float,
    share: float,
    precision: int,
) -> None:
    """The delays, our clock, and the server's error within its bound may have any values."""
    error = share * (root_delay / 2 + root_dispersion)
    received = NOW + out + error
    data = packet_at(
        received,
        received + busy,
        root_delay=root_delay,
        root_dispersion=root_dispersion,
        precision=precision,
    )
    try:
        offset, bound = sntp.read(data, NOW + own_error, out + busy + back)
    except sntp.NtpError:
        assume(False)
    # NTP's fractions of root delay and dispersion are 15 us.
    assert abs(offset - -own_error) <= bound + busy + 2 * 2**-16 + TICK


# --- intervals


@given(intervals, intervals)
def test_an_intersection_never_widens(first: Interval, other: Interval) -> None:
    both = first.meet(other)
    assert both == other.meet(first)
    if not both.is_empty:
        assert both.half_width <= min(first.half_width, other.half_width)
        assert first.low <= both.low <= both.high <= first.high


@given(intervals, intervals, st.floats(0, 1), st.floats(0, 1))
def test_a_difference_holds_every_difference(
    first: Interval, other: Interval, a: float, b: float
) -> None:
    of_first = first.low + a * (first.high - first.low)
    of_other = other.low + b * (other.high - other.low)
    assert holds(first.minus(other), of_first - of_other)
    assert holds(first.shift(-of_other), of_first - of_other)


@given(
    numbers,
    st.lists(st.tuples(delays, delays), min_size=1, max_size=7),
    st.lists(intervals, max_size=6),
)
def test_the_majority_holds_the_truth_whatever_a_minority_says(
    truth: float, honest: list[tuple[float, float]], lies: list[Interval]
) -> None:
    assume(len(lies) < len(honest))
    bounds = [Interval(truth - low, truth + high) for low, high in honest] + lies
    common = majority(bounds)
    assert common is not None
    assert holds(common, truth)
    assert common.low >= min(interval.low for interval in bounds)
    assert common.high <= max(interval.high for interval in bounds)


# --- verdicts


@st.composite
def readings(draw: st.DrawFn) -> tuple[Reading, dict[str, float]]:
    """A reading in an invented world, and the errors of its clocks.

    Delays are any, our own clock is any and may be set, a minority of servers lies, and stamps are
    cut to any resolution.
    """
    own_error = draw(st.floats(-1e6, 1e6))
    errors: dict[str, float] = {}
    honest = draw(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=4))
    lies = draw(st.lists(intervals, max_size=len(honest) - 1))
    bounds = [Interval(-own_error - low, -own_error + high) for low, high in honest] + lies
    servers = [Server(f"ntp{number}", offset) for number, offset in enumerate(bounds)]
    reference = combine(servers, 0.0, OwnClocks(NOW + own_error, 0.0))
    samples, at = [], draw(st.floats(-1, 1))
    resolution = 10.0 ** -draw(st.integers(0, 6))
    for _ in range(draw(st.integers(1, 8))):
        name, out, back = draw(st.sampled_from("abc")), draw(delays), draw(delays)
        error = errors.setdefault(name, draw(st.floats(-3, 3)))
        stated = math.floor((NOW + at + out + error) / resolution) * resolution
        ours = OwnClocks(NOW + own_error + draw(st.sampled_from([0.0, 0.0, -3600.0, 7.0])), 0.0)
        sent, arrived = at, at + out + back
        offset = Interval(stated - arrived, stated + resolution - sent).shift(-ours.epoch)
        stamp = Timestamp(stated, resolution)
        samples.append(Sample(name, offset, stamp, sent, arrived, ours, ours, has_connected=True))
        at = arrived + draw(st.floats(0, 0.1))
    return Reading(tuple(samples), reference), {
        sample.instance: errors[sample.instance] for sample in samples
    }


@given(readings(), st.floats(0.01, 3))
def test_a_verdict_is_never_wrong(world: tuple[Reading, dict[str, float]], limit: float) -> None:
    reading, errors = world
    verdict = judge(reading, limit)
    event(verdict.reason)
    assert verdict.reason in ("ok", "clock_off", "undetermined"), verdict
    for instance in verdict.instances:
        assert holds(instance.error, errors[instance.name])
    worst = max(abs(error) for error in errors.values())
    if verdict.status == "OK":
        assert worst <= limit + TICK
    if verdict.reason == "clock_off":
        assert worst >= limit - TICK
        assert verdict.worst is not None
        assert abs(errors[verdict.worst.name]) >= limit - TICK


@given(readings())
def test_more_samples_never_widen_a_bound(world: tuple[Reading, dict[str, float]]) -> None:
    reading, _ = world
    widths: dict[str, float] = {}
    for count in range(1, len(reading.samples) + 1):
        verdict = judge(Reading(reading.samples[:count], reading.reference))
        for instance in verdict.instances:
            assert instance.error.half_width <= widths.get(instance.name, math.inf) + TICK
            widths[instance.name] = instance.error.half_width


@given(seconds, seconds)
def test_every_error_can_be_formatted(error: float, stated: float) -> None:
    assert format_error(Interval(error, error)).isascii()
    assert likely_cause(error, stated).isascii()
    assert format_utc(stated)


# --- the service

raw = st.text(st.characters(max_codepoint=255), max_size=60)  # bytes, as WSGI has them
targets = st.sampled_from(["/now", "/", "/health", "//now", ""]) | raw.map("/{}".format)
printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60)
queries = st.lists(
    st.sampled_from(["tz=", "format=", "&", "UTC", "text", "%00", "../"]) | printable
)
service = create_app(Monitor("127.0.0.1", ask=lambda _host, _port: sntp.Answer(0.0, 0.001)))
client = service.test_client()


@given(st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "BREW"]), targets, queries, raw, raw)
def test_any_request_is_answered_without_an_error_of_our_own_and_without_its_words(
    method: str, path: str, query: list[str], accept: str, host: str
) -> None:
    """The requests are those that gunicorn accepts: any bytes, except that a query is printable
    ASCII."""
    mark = "zq9"
    environment = {
        "PATH_INFO": path + mark * (path not in ("/now", "/", "")),
        "QUERY_STRING": "".join(query) + "&x=" + mark,
        "HTTP_ACCEPT": accept + mark,
        "HTTP_HOST": mark + host,
    }
    answer = client.open("/", method=method, environ_overrides=environment)
    assert answer.status_code in (200, 400, 404, 405)
    assert mark not in str(answer.headers) + answer.text
