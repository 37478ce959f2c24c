"""Which timestamps the healthcheck reads, and with which resolution."""

from __future__ import annotations

import pytest

from healthcheck.timestamp import BadTimestamp, format_utc, parse

T = 1_795_342_272.0  # 2026-11-22T10:11:12Z


@pytest.mark.parametrize(
    ("text", "seconds", "resolution"),
    [
        ("2026-11-22T10:11:12Z", T, 1.0),
        ("2026-11-22T10:11:12.3Z", T + 0.3, 1e-1),
        ("2026-11-22T10:11:12.345Z", T + 0.345, 1e-3),
        ("2026-11-22T10:11:12.345678Z", T + 0.345678, 1e-6),
        ("2026-11-22T10:11:12.345678901Z", T + 0.345678901, 1e-9),
        # Zeros at the end may have replaced digits that were cut.
        ("2026-11-22T10:11:12.000Z", T, 1.0),
        ("2026-11-22T10:11:12.345000Z", T + 0.345, 1e-3),
        ("2026-11-22T10:11:12.100001Z", T + 0.100001, 1e-6),
        ("2026-11-22T10:11:12.1234567891Z", T + 0.123456789, 1e-9),
        ("2026-11-22T10:11:12." + "5" * 5000 + "Z", T + 0.555555555, 1e-9),
        ("2026-11-22t10:11:12z", T, 1.0),
        ("2026-11-22 10:11:12Z", T, 1.0),
        ("  2026-11-22T10:11:12Z\n", T, 1.0),
        ("2026-11-22T10:11:12+00:00", T, 1.0),
        ("2026-11-22T10:11:12-00:00", T, 1.0),
        ("2026-11-22T12:11:12+02:00", T, 1.0),
        ("2026-11-22T04:41:12-05:30", T, 1.0),
        ("2026-11-22T12:11:12+0200", T, 1.0),
        ("2026-11-22T12:10:12 +01:59", T, 1.0),
        ("2026-11-23T00:11:12.5+14:00", T + 0.5, 1e-1),
        ("2026-12-31T23:59:60Z", 1_798_761_599.999999, 1.0),
        ("2026-12-31T23:59:60.250Z", 1_798_761_599.999999, 1.0),
        ("1970-01-01T00:00:00Z", 0.0, 1.0),
        ("1969-12-31T23:59:59.5Z", -0.5, 1e-1),
        ("2024-02-29T00:00:00Z", 1_709_164_800.0, 1.0),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140.0, 1.0),
    ],
)
def test_a_moment_is_read_with_its_resolution(text: str, seconds: float, resolution: float) -> None:
    found = parse(text)
    assert found.seconds == pytest.approx(seconds, abs=1e-6, rel=0)
    assert found.resolution == pytest.approx(resolution)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-22T10:11:12", "has no time zone"),
        ("2026-11-22T10:11:12.345678", "has no time zone"),
        ("2026-11-22", "not an RFC 3339 timestamp"),
        ("10:11:12Z", "not an RFC 3339 timestamp"),
        ("1795342272", "not an RFC 3339 timestamp"),
        ("+58861-07-16T10:40:00Z", "not an RFC 3339 timestamp"),
        ("58861-07-16T10:40:00.000Z", "not an RFC 3339 timestamp"),
        ("", "not an RFC 3339 timestamp"),
        ("Sun, 22 Nov 2026 10:11:12 GMT", "not an RFC 3339 timestamp"),
        ("2026-11-22T10:11:12.Z", "not an RFC 3339 timestamp"),
        ("٢٠٢٦-11-22T10:11:12Z", "not an RFC 3339 timestamp"),
        ("2026-13-22T10:11:12Z", "month"),
        ("2026-02-29T10:11:12Z", "day"),
        ("2026-11-22T10:61:12Z", "minute"),
        ("2026-11-22T10:11:61Z", "second"),
        ("0000-11-22T10:11:12Z", "year"),
        ("2026-11-22T10:11:12+24:00", "offset"),
        ("2026-11-22T10:11:12+01:60", "not an RFC 3339 timestamp"),
    ],
)
def test_what_is_no_moment_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BadTimestamp, match=why):
        parse(text)


def test_a_refusal_repeats_only_plain_characters_and_not_many() -> None:
    with pytest.raises(BadTimestamp) as refused:
        parse("\x1b[2J\n\u2028" + "x" * 10_000)
    assert str(refused.value).isascii()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x" * 70, f"'{'x' * 60}' is not an RFC 3339 timestamp"),
        ("2026-11-22T10:11:12" + " " * 70, "'2026-11-22T10:11:12" + " " * 41 + "' has no"),
        ("2026-13-22T10:11:12Z" + " " * 70, "'2026-13-22T10:11:12Z" + " " * 40 + "': "),
    ],
)
def test_a_refusal_repeats_sixty_characters(text: str, complaint: str) -> None:
    with pytest.raises(BadTimestamp) as refused:
        parse(text)
    assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize("seconds", [1e12, 1e18, 1e300, -1e12, -1e18, -1e300])
def test_where_the_calendar_ends_a_stamp_is_a_number(seconds: float) -> None:
    assert format_utc(seconds) == f"{seconds:.3f} s since 1970"


def test_our_own_stamps_are_utc_with_milliseconds() -> None:
    assert format_utc(T + 0.25) == "2026-11-22T10:11:12.250Z"
    assert format_utc(T) == "2026-11-22T10:11:12.000Z"
