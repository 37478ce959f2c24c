"""make logs: the lines of every part, each with its source, in the order of time (UTC).

The parts are containers, each host's boot and service, and the healthcheck's function.
"""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from deployment.errors import UserError
from deployment.ownership import outputs_of, parse_tags
from local.api import REFUSALS, client
from local.containers import ROLES, Containers, instance_of, zone_of
from local.hosts import find_hosts
from local.stacks import list_stacks

FUNCTION = "function"
# Lambda's own lines about each run of the function.
ABOUT_RUNS = ("START ", "END ", "REPORT ", "INIT_START ")
# Seconds of the function's log that are read.
PERIOD = 3600
# Lines of each source at first; ten times as many of a source that HOST= names.
LINES = 30
# Seconds between two looks at all sources.
ROUND = 1.0
# Seconds that an engine may take for a log.
PATIENCE = 20.0
OWN_TIME = re.compile(r"\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*( [+-]\d{4}\])? *")


class Line(NamedTuple):
    """time: by Docker, in RFC 3339 with nine digits of a second, so that texts sort."""

    time: str
    source: str
    text: str


class Source(NamedTuple):
    """read: return the lines after a time, or that many last lines if the time is empty."""

    name: str
    read: Callable[[int, str], list[Line]]


def read_container(
    name: str, container: str, docker: Sequence[str], tail: int, last: str
) -> list[Line]:
    """Read a container's log. docker: the command of the engine that the container runs in.

    A container that has ended since it was listed has no lines, nor has one whose engine hangs.
    """
    choice = f"--since={last}" if last else f"--tail={tail}"
    command = [*docker, "logs", "--timestamps", choice, container]
    try:
        output = subprocess.check_output(command, stderr=subprocess.STDOUT, timeout=PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return []
    lines = []
    # Progress is a line with \r in it, so lines end at \n alone.
    for raw in output.split(b"\n"):
        stamp, _, text = raw.decode(errors="replace").partition(" ")
        if stamp > last:
            lines.append(Line(stamp, name, text.rstrip()))
    return lines


def read_function(cloud: Containers, tail: int, last: str) -> list[Line]:
    """Read what the healthcheck's function has logged; nothing while the API does not respond."""
    try:
        endpoint = cloud.endpoint()
        lines = read_log(endpoint, list_stacks(endpoint))
    except (UserError, *REFUSALS):
        return []
    new = [Line(format_stamp(when), FUNCTION, format_verdict(text)) for when, text in lines]
    return [line for line in new if line.time > last][-tail:]


def read_log(endpoint: str, stacks: Iterable[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """Return the function's lines of the last hour: their time in milliseconds, and their text.

    stacks: the deployment's. Raises what boto3 raises.
    """
    outputs = [outputs_of(stack) for stack in stacks]
    groups = [output["LogGroup"] for output in outputs if "LogGroup" in output]
    start = int((time.time() - PERIOD) * 1000)
    lines = []
    for group in groups:
        paginator = client(endpoint, "logs").get_paginator("filter_log_events")
        events = paginator.paginate(logGroupName=group, startTime=start).search("events[]")
        lines += [(event["timestamp"], event["message"].strip()) for event in events]
    return sorted(line for line in lines if line[1] and not line[1].startswith(ABOUT_RUNS))


def format_verdict(text: str) -> str:
    """Return a verdict's status and its detail; another line as it is."""
    try:
        verdict = json.loads(text)
        return f"{verdict['status']} {verdict['detail']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return text


def logs(cloud: Containers, word: str, follow: bool) -> int:
    """Print the lines of the host or part that the word means, or of all if it is empty.

    Raises UserError if there is no such host.
    """
    if not cloud.all() or word == FUNCTION:
        cloud.check_up()
    # Logs can be read while the local API is down.
    with suppress(UserError, *REFUSALS):
        for stack in list_stacks(cloud.endpoint()):
            if commit := parse_tags(stack.get("Tags")).get("commit"):
                print(f"--- {stack['StackName']}, commit {commit}")
    day = ""
    for line in read_all(cloud, word, follow):
        if line.time[:10] != day:
            day = line.time[:10]
            print(f"--- {day}, UTC")
        print(f"{line.time[11:23]}  {line.source:<20}  {format_text(line.text)}", flush=follow)
    return 0


def list_sources(cloud: Containers, word: str) -> list[Source]:
    """Return the parts, and for each host its boot and its service.

    Raises UserError for an unknown word, with all known words.
    """

    def of_container(name: str, container: str, *docker: str) -> Source:
        return Source(name, partial(read_container, name, container, docker))

    parts = [
        of_container(role, f"{cloud.name}-{role}", "docker") for role in ROLES if cloud.get(role)
    ]
    parts.append(Source(FUNCTION, partial(read_function, cloud)))
    if word in (*ROLES, FUNCTION):
        return [part for part in parts if part.name == word]
    sources = [] if word else parts
    for host in find_hosts(cloud, word, (*ROLES, FUNCTION)) if word else cloud.machines():
        name, container = f"{zone_of(host)[-1]} {instance_of(host)[:10]}", str(host.name)
        sources.append(of_container(f"{name} boot", container, "docker"))
        if host.status == "running":
            inside = ("docker", "exec", container, "docker")
            sources.append(of_container(f"{name} service", "timeservice", *inside))
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


def format_stamp(milliseconds: int) -> str:
    """Return a time as Docker writes it."""
    seconds, rest = divmod(milliseconds, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:03}000000Z"


def format_text(text: str) -> str:
    """Return a line for people: without its own time and codes for the terminal, and JSON as
    text."""
    try:
        record = json.loads(text)
        words = [str(record.pop("level")).upper(), str(record.pop("message"))]
        traceback = record.pop("traceback", "").splitlines()
        record.pop("time", None)
        words += [f"{key}={json.dumps(value)}" for key, value in record.items()]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        words, traceback = [OWN_TIME.sub("", text, count=1)], []
    return "\n    ".join(map(escape_unprintable, [" ".join(words), *traceback]))


def escape_unprintable(line: str) -> str:
    """Return the line with an escape for each character that could move the terminal's cursor."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in line
    )
