"""make logs: the lines of every part, each with its source, in the order of time (UTC)."""

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from docker.errors import APIError
from docker.models.containers import Container

from deployment.errors import UserError
from local.containers import ROLES, Containers
from local.hosts import find_hosts, list_hosts

LINES = 30  # of each source at first, and ten times as many of a source that is asked for
ROUND = 1.0  # seconds between two looks at all sources
OWN_TIME = re.compile(r"\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*( [+-]\d{4}\])? *")


class Line(NamedTuple):
    """time: by Docker, in RFC 3339 with nine digits of a second, so that texts sort."""

    time: str
    source: str
    text: str


class Source(NamedTuple):
    """A container, or with `service` the container of that name in a host's own engine."""

    name: str
    container: Container
    service: str = ""

    def read(self, tail: int, last: str) -> list[Line]:
        """Return the lines after the time `last`, or the last `tail` lines if that is empty."""
        try:
            output = self._read(tail, last)
        except APIError:
            # The container has ended since it was listed.
            return []
        lines = []
        # Progress is a line with \r in it, so lines end at \n alone.
        for raw in output.split(b"\n"):
            stamp, _, text = raw.decode(errors="replace").partition(" ")
            if stamp > last:
                lines.append(Line(stamp, self.name, text.rstrip()))
        return lines

    def _read(self, tail: int, last: str) -> bytes:
        # Docker's filter takes whole seconds here.
        since = int(datetime.fromisoformat(f"{last[:19]}+00:00").timestamp()) if last else 0
        if not self.service and last:
            return self.container.logs(timestamps=True, since=since)
        if not self.service:
            return self.container.logs(timestamps=True, tail=tail)
        choice = f"--since={since}" if last else f"--tail={tail}"
        result = self.container.exec_run(["docker", "logs", "--timestamps", choice, self.service])
        if result.exit_code != 0 or not isinstance(result.output, bytes):
            return b""
        return result.output


def logs(cloud: Containers, word: str, follow: bool) -> int:
    """Print the lines of the host or part that the word means, or of all if it is empty.

    Raises UserError if there is no such host.
    """
    if not cloud.all():
        cloud.check_up()
    day = ""
    for line in read_all(cloud, word, follow):
        if line.time[:10] != day:
            day = line.time[:10]
            print(f"--- {day}, UTC")
        print(f"{line.time[11:23]}  {line.source:<20}  {format_text(line.text)}", flush=follow)
    return 0


def list_sources(cloud: Containers, word: str = "") -> list[Source]:
    """Return the parts, and for each host its boot and its service."""
    parts = [Source(role, part) for role in ROLES if (part := cloud.get(role))]
    if word in ROLES:
        return [part for part in parts if part.name == word]
    sources = [] if word else parts
    for host in find_hosts(cloud, word, "logs") if word else list_hosts(cloud):
        name = f"{host.zone[-1]} {host.instance[:10]}"
        sources.append(Source(f"{name} boot", host.container))
        if host.container.status == "running":
            sources.append(Source(f"{name} service", host.container, "timeservice"))
    return sources


def read_all(cloud: Containers, word: str, follow: bool) -> Iterator[Line]:
    """Yield the last lines of all sources in their order, and with `follow` the new lines."""
    sources = list_sources(cloud, word)
    tail = LINES * 10 if word else LINES
    last: dict[str, str] = {}
    if follow:
        # An interrupted reader leaves nothing half-way, so make up need not be run again.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        lines: list[Line] = []
        for source in sources:
            new = source.read(tail, last.get(source.name, ""))
            if new:
                last[source.name] = max(new).time
            lines += new
        yield from sorted(lines)
        if not follow:
            return
        time.sleep(ROUND)
        # The host that is asked for may be gone, and its successor not there yet.
        with suppress(UserError):
            sources = list_sources(cloud, word)


def format_text(text: str) -> str:
    """Return a line without its own time, without what would move the cursor, and JSON as text."""
    try:
        return _format_record(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return escape_unprintable(OWN_TIME.sub("", text, count=1))


def _format_record(record: dict[str, object]) -> str:
    level, message = str(record.pop("level")).upper(), str(record.pop("message"))
    record.pop("time", None)
    traceback = str(record.pop("traceback", "")).splitlines()
    fields = [f"{key}={_format_value(value)}" for key, value in record.items()]
    return "\n    ".join(map(escape_unprintable, [" ".join([level, message, *fields]), *traceback]))


def _format_value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if text and " " not in text else json.dumps(value)


def escape_unprintable(line: str) -> str:
    """Return the line with an escape for each character that could move the terminal's cursor."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in line
    )
