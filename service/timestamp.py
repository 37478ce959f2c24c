"""A moment in the forms of /now. Whole numbers only: a float would lose the microseconds."""

from datetime import UTC, datetime, timedelta, tzinfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(nanoseconds: int, zone: tzinfo = UTC) -> str:
    """Return nanoseconds since 1970 as RFC 3339 with six digits, cut and not rounded.

    Only UTC itself is written as `Z`. Any other zone shows its offset, even if that is +00:00.
    """
    moment = (EPOCH + timedelta(microseconds=nanoseconds // 1000)).astimezone(zone)
    text = moment.isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z" if zone is UTC else text


def epoch(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 as seconds with six digits, cut like `rfc3339`."""
    microseconds = nanoseconds // 1000
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"
