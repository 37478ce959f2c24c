"""A moment in the forms of /now. Whole numbers only: a float would lose the microseconds."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(nanoseconds: int, zone: tzinfo = UTC) -> str:
    """Return nanoseconds since 1970 as RFC 3339 with six digits, cut and not rounded.

    Only UTC itself is written as `Z`. Any other zone shows its offset, even if that is +00:00.
    """
    seconds, fraction = divmod(nanoseconds // 1000, 1_000_000)
    clock, offset = _format_second(seconds, zone)
    return f"{clock}.{fraction:06d}{offset}"


@lru_cache(16)
def _format_second(seconds: int, zone: tzinfo) -> tuple[str, str]:
    """Return what stands before and after the fraction."""
    text = (EPOCH + timedelta(seconds=seconds)).astimezone(zone).isoformat()
    # YYYY-MM-DDTHH:MM:SS has 19 characters.
    return text[:19], "Z" if zone is UTC else text[19:]


def epoch(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 as seconds with six digits, cut like `rfc3339`."""
    microseconds = nanoseconds // 1000
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"
