"""Parse the time that a service states, together with its resolution."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:[.,](\d+))?\s*([Zz]|[+-]\d\d:?[0-5]\d)?",
    re.ASCII,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadTimestamp(ValueError):
    """A text that states no moment; the message gives the reason."""


class Timestamp(NamedTuple):
    """seconds: since 1970, rounded down to the last digit. resolution: of the last digit that is
    not 0, in seconds.

    Zeros at the end often come from a clock that ticks more coarsely than it is written.
    """

    seconds: float
    resolution: float


def parse(text: str) -> Timestamp:
    """Parse RFC 3339 with `Z` or an offset, and any number of digits. Raises BadTimestamp.

    A time without a zone is refused: it could be any of 38 different moments. `:60`, a leap second,
    is the last instant of its minute, with the whole second that it takes as resolution.
    """
    match = FORM.fullmatch(text.strip())
    if not match:
        raise BadTimestamp(f"{text[:60]!a} is not an RFC 3339 timestamp")
    date, minute, second, fraction, zone = match.groups()
    if zone is None:
        raise BadTimestamp(f"{text[:60]!a} has no time zone (Z or +00:00), so it is ambiguous")
    is_leap = second == "60"
    try:
        moment = datetime.fromisoformat(
            f"{date}T{minute}:{'59' if is_leap else second}{zone.upper()}"
        )
    except ValueError as error:
        raise BadTimestamp(f"{text[:60]!a}: {error}") from None
    whole = (moment - EPOCH).total_seconds()
    if is_leap:
        return Timestamp(whole + 0.999999, 1.0)
    # A float holds no more than nine digits of a second. A cut stamp is coarser, and still right.
    digits = (fraction or "")[:9].rstrip("0")
    return Timestamp(whole + float(f"0.{digits or 0}"), 10.0 ** -len(digits))


def format_utc(seconds: float) -> str:
    """Format seconds since 1970 as a date for people and logs; as a number beyond the year 9999."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.3f} s since 1970"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
