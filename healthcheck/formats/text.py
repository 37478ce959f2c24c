"""One line for people."""

from healthcheck.check import Result
from healthcheck.reading import Reference


def render(result: Result) -> str:
    """Return one line whose first word is the status."""
    return f"{result.verdict.status} {detail(result)}"


def detail(result: Result) -> str:
    """Return what the check found, in words."""
    verdict = result.verdict
    if not verdict.instances:
        return verdict.detail
    count = len(verdict.instances)
    hosts = "1 instance" if count == 1 else f"{count} instances"
    reference = _describe(result.reading.reference)
    return f"{verdict.detail} on {hosts}, limit {result.limit:g} s, reference: {reference}"


def _describe(reference: Reference) -> str:
    if reference.kind == "single":
        return "one NTP server"
    if reference.kind == "local":
        return "this machine's clock (no NTP server answered)"
    if reference.kind == "chosen":
        return "this machine's clock"
    offsets = [server.offset for server in reference.servers if server.offset]
    agreed = sum(not offset.meet(reference.offset).is_empty for offset in offsets)
    if agreed == len(offsets):
        return f"{agreed} NTP servers"
    return f"{agreed} NTP servers ({len(offsets) - agreed} more contradict)"
