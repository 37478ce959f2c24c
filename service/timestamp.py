"""A moment in the forms of /now. Whole numbers only: a float would lose the microseconds."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache


def rfc3339(nanoseconds: int, zone: tzinfo = UTC) -> str:
    """Return nanoseconds since 1970 as RFC 3339 with six digits, cut and not rounded.

    Only UTC itself is written as `Z`. Any other zone shows its offset, even if that is +00:00.
    """
    second, offset = _format_second(nanoseconds // 10**9, zone)
    return f"{second}.{nanoseconds // 1000 % 10**6:06d}{offset}"


@lru_cache(16)
def _format_second(seconds: int, zone: tzinfo) -> tuple[str, str]:
    text = datetime.fromtimestamp(seconds, zone).isoformat()
    # YYYY-MM-DDTHH:MM:SS has 19 characters.
    return text[:19], "Z" if zone is UTC else text[19:]


def epoch(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 as seconds with six digits, cut like `rfc3339`."""
    return f"{nanoseconds // 10**9}.{nanoseconds // 1000 % 10**6:06d}"
