"""Reads the time that a service states, together with how finely it states it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:[.,](\d{1,9}))?\s*([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
FAR_FUTURE = re.compile(r"\+?\d{5,}-\d\d-\d\d", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadTimestamp(ValueError):
    """Not a time that could be judged; the text says why."""


class Timestamp(NamedTuple):
    """seconds: since 1970, cut to what was stated. resolution: of the last digit stated that is not 0, in seconds.

    Zeros at the end are more often those of a clock that ticks more coarsely than it is written.
    """

    seconds: float
    resolution: float


def parse(text: str) -> Timestamp:
    """RFC 3339 with `Z` or an offset and 0 to 9 digits; `:60`, a leap second, is the last instant of its minute, with
    the whole second that it takes as resolution.

    Raises BadTimestamp, also for a time without a zone: it could be any of 38 different moments.
    """
    match = FORM.fullmatch(text.strip())
    if not match:
        likely = ": looks like milliseconds read as seconds" * bool(FAR_FUTURE.match(text.strip()))
        raise BadTimestamp(f"{text[:60]!a} is not an RFC 3339 timestamp{likely}")
    date, minute, second, fraction, zone = match.groups()
    if zone is None:
        raise BadTimestamp(f"{text[:60]!a} names no time zone (Z or +00:00), so it is no moment")
    leap = second == "60"
    try:
        moment = datetime.fromisoformat(f"{date}T{minute}:{'59' if leap else second}+00:00")
    except ValueError as wrong:
        raise BadTimestamp(f"{text[:60]!a}: {wrong}") from None
    digits = "" if leap else (fraction or "").rstrip("0")
    part = 0.999999 if leap else float(f"0.{digits or 0}")
    whole = (moment - EPOCH - _offset(zone)).total_seconds()
    return Timestamp(whole + part, 10.0 ** -len(digits))


def _offset(zone: str) -> timedelta:
    if zone in "Zz":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        raise BadTimestamp(f"{zone!a} is not an offset from UTC")
    size = timedelta(hours=hours, minutes=minutes)
    return -size if zone[0] == "-" else size


def utc(seconds: float) -> str:
    """`seconds` since 1970 for people and logs; a number where the calendar ends."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.3f} s since 1970"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
