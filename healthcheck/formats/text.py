"""One line that a person can read aloud."""

from healthcheck.check import Result
from healthcheck.reading import Reference
from healthcheck.url import remove_credentials

# The reasons whose line also names the limit and the reference.
COMPARISONS = {"ok", "too_few", "clock_off", "undetermined"}


def render(result: Result) -> str:
    """Return one line whose first word is the status."""
    return f"{result.verdict.status}: {describe(result)}"


def describe(result: Result) -> str:
    """Return what the check found, in words, with the URL that it requested."""
    verdict, limit = result.verdict, f"{result.limit:g} s"
    url = remove_credentials(result.url)
    if verdict.reason not in COMPARISONS:
        return f"{url}: {verdict.detail}"
    reference = f"reference {_describe(result.reading.reference)}"
    if verdict.status == "OK":
        return f"{_count_hosts(result)} of {url} within {limit}: {verdict.detail}, {reference}"
    return f"{url}: {verdict.detail}, limit {limit}, {reference}"


def _count_hosts(result: Result) -> str:
    seen, expected = result.coverage.seen, result.coverage.expected
    if seen < expected:
        return f"{seen} of {expected} hosts"
    if not result.coverage.is_complete:
        return "1 host" if seen == 1 else f"{seen} hosts"
    if seen == 1:
        return "the one host"
    return "both hosts" if seen == 2 else f"all {seen} hosts"


def _describe(reference: Reference) -> str:
    if reference.kind == "single":
        return "a single NTP server"
    if reference.kind == "local":
        return "this machine's clock (no NTP server answered)"
    if reference.kind == "chosen":
        return "this machine's clock"
    outvoted = [server.name for server in reference.servers if reference.is_outvoted(server)]
    agreed = sum(server.offset is not None for server in reference.servers) - len(outvoted)
    count = "1 NTP server" if agreed == 1 else f"{agreed} NTP servers"
    return f"{count} (outvoted: {', '.join(outvoted)})" if outvoted else count
