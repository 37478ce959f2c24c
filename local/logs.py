"""make logs: what every part says, each line with its source, in the order of time (UTC)."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Queue
from subprocess import DEVNULL, PIPE, STDOUT
from threading import Thread
from typing import NamedTuple

from deployment.errors import UserError
from local import hosts
from local.containers import ROLES, Containers

LINES = 30  # of each source, and ten times as many of the one that is asked for
ROUND = 0.5  # seconds, after which hosts that came meanwhile are followed as well
AGAIN = 3.0  # seconds, after which a source that has ended is: it may have started again
AHEAD = 1000  # lines that wait to be printed; sources wait then, as the one who reads has stopped
STAMPED = re.compile(
    rb"\d{4}-\d\d-\d\dT"
)  # not so is what Docker itself says: there is no such container
OWN_TIME = re.compile(r"\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*( [+-]\d{4}\])? *")
# Ends with the process that started it, as that closes its input: else it would wait for the next line, on a host.
FOLLOW = 'docker logs "$@" & logs=$!; { cat; kill $logs; } <&0 >/dev/null 2>&1 & wait $logs'


class Source(NamedTuple):
    name: str
    container: str
    host: str = ""  # the container of the host whose engine has it; else it is this machine's

    def run(self, *command: str, options: tuple[str, ...] = ()) -> list[str]:
        """That command where the engine is. options: for docker exec."""
        return [*(["docker", "exec", *options, self.host] if self.host else []), *command]


class Line(NamedTuple):
    time: str  # RFC 3339 in UTC, with nine digits, as Docker took it: such texts sort
    source: str
    text: str


def logs(cloud: Containers, word: str, follow: bool) -> int:
    """word: whose; of all if it is empty. Raises UserError for what is not there."""
    if not cloud.all():
        cloud.refuse_if_not_up()
    day = ""
    for line in _followed(cloud, word) if follow else _said(cloud, word):
        if line.time[:10] != day:
            day = line.time[:10]
            print(f"--- {day}, UTC")
        print(f"{line.time[11:23]}  {line.source:<20}  {readable(line.text)}", flush=follow)
    return 0


def sources(cloud: Containers, word: str = "") -> list[Source]:
    """The parts; of each host what its boot wrote, and its service; or those of them that are called so."""
    parts = [Source(role, f"{cloud.name}-{role}") for role in ROLES if cloud.get(role)]
    if word in ROLES:
        return [one for one in parts if one.name == word]
    found = [] if word else parts
    for host in hosts.called(cloud, word, "logs") if word else hosts.every(cloud):
        name, container = f"{host.zone[-1]} {host.instance[:10]}", str(host.container.name)
        found.append(Source(f"{name} boot", container))
        if host.container.status == "running":
            found.append(Source(f"{name} service", "timeservice", container))
    return found


def readable(text: str) -> str:
    """The service's JSON as a line; without a time of its own, and without what would move the terminal's cursor."""
    try:
        return _of_the_service(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return escape_unprintable(OWN_TIME.sub("", text, count=1))


def _of_the_service(said: dict[str, object]) -> str:
    level, message = str(said.pop("level")).upper(), str(said.pop("message"))
    said.pop("time", None)
    traceback = str(said.pop("traceback", "")).splitlines()
    rest = [f"{key}={_value(value)}" for key, value in said.items()]
    return "\n    ".join(map(escape_unprintable, [" ".join([level, message, *rest]), *traceback]))


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if text and " " not in text else json.dumps(value)


def _said(cloud: Containers, word: str) -> list[Line]:
    tail = f"--tail={LINES * 10 if word else LINES}"
    lines: list[Line] = []
    for source in sources(cloud, word):
        command = source.run("docker", "logs", "--timestamps", tail, source.container)
        # What is typed meanwhile is for the shell.
        done = subprocess.run(command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, check=False)
        # At \n alone: progress is told with \r in a line.
        lines += [_line(source, raw) for raw in done.stdout.split(b"\n") if STAMPED.match(raw)]
    return sorted(lines)


def _line(source: Source, raw: bytes) -> Line:
    time, _, text = raw.decode(errors="replace").partition(" ")
    return Line(time, source.name, text.rstrip())


def _followed(cloud: Containers, word: str) -> Iterator[Line]:
    """As they come, for ever; in order within each round, as sources are read at the same time."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # whoever only reads leaves nothing half-way
    wanted = sources(cloud, word)
    said: Queue[tuple[Source, Line | None]] = Queue(AHEAD)
    last: dict[Source, str] = {}  # the time of its last line
    followed: set[Source] = set()
    while True:
        for source in {*wanted} - followed:
            followed.add(source)
            Thread(target=_follow, args=(source, last.get(source), said), daemon=True).start()
        time.sleep(ROUND)
        new: list[Line] = []
        for _ in range(said.qsize()):  # not until it is empty: it may never be
            source, line = said.get()
            if line is None:
                followed.discard(source)
            elif line.time > last.get(source, ""):
                last[source] = line.time
                new.append(line)
        yield from sorted(new)
        with suppress(UserError):  # the host is gone, and another comes in its place
            wanted = sources(cloud, word)


def _follow(source: Source, since: str | None, said: Queue[tuple[Source, Line | None]]) -> None:
    """Tell its lines; and None when it may be followed anew, as it has ended, or there was nothing yet to follow."""
    beginning = f"--since={since}" if since else f"--tail={LINES}"
    options = ["--follow", "--timestamps", beginning, source.container]
    command = source.run("bash", "-c", FOLLOW, "logs", *options, options=("--interactive",))
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=STDOUT) as process:
        for raw in process.stdout or ():
            if STAMPED.match(raw):
                said.put((source, _line(source, raw)))
    time.sleep(AGAIN)
    said.put((source, None))


def escape_unprintable(line: str) -> str:
    """Return the line with an escape for each character that could move the terminal's cursor."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in line
    )
