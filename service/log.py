"""What the service says, on stderr: one JSON object in a line. A terminal gets the same in a form for people.

time        RFC 3339 in UTC, by this host's own clock
level       debug, info, warning, error or critical
process     whose line it is: gunicorn's first process, or one of its workers
message     what happened, in words of ours or gunicorn's
left_out    how many lines from the same place in the code were too many since its last one; absent if none were

and what it is about, each key only where it applies:

state, offset, bound    of our clock, as /now shows them; and whether it is healthy
server, trouble         the time server, and what is wrong with its answers; null if nothing is
reason                  why something that is no proper request was refused; this may quote some of it
request_id              of a request that failed by our fault; its answer names the same
method, path, status    of that request, without its query
traceback               of an error of ours

A request that was answered has no line: it would cost more than the answer. So lines are rare, unless somebody makes
them frequent; then a limit for each place in the code keeps the rest. What is no JSON is from before there is a log,
or a word that gunicorn says twice.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import threading
import time
from typing import Any

from gunicorn import glogging

from service.timestamp import rfc3339

MOST = 20  # lines a minute from each place in the code, in each process
# Characters of JSON, which has six or twelve for a strange one. Docker breaks lines of more than 16 KB.
LONGEST = 400
LONGEST_MESSAGE = 2_000
LONGEST_TRACEBACK = 8_000  # its end tells the most

TRACE = re.compile(r"(?:^|;)Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)")


def about(**fields: object) -> dict[str, Any]:
    """What a line is about, for the `extra` of a logging call. Texts, which may be a stranger's, are cut."""
    cut = {key: _cut(one, LONGEST) if isinstance(one, str) else one for key, one in fields.items()}
    return {"about": cut}


def _cut(text: str, longest: int) -> str:
    """As much of its beginning as is no longer than that in JSON, or up to a tenth less."""
    text = text[:longest]
    while len(json.dumps(text)) > longest:
        text = text[: len(text) * 9 // 10]
    return text


def request_id(trace: str | None) -> str:
    """The Root of an X-Amzn-Trace-Id, by which a balancer names the request. Anybody may send that header: if there is
    none in its form, a new one."""
    found = TRACE.search(trace or "")
    return found[1] if found else f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"


class Limit(logging.Filter):
    """Lets MOST lines a minute through from each place in the code, and the next one tell how many did not get through:
    a flood would push out of the log, whose size is limited, what it is for."""

    def __init__(self) -> None:
        super().__init__()
        self.minutes: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place, now = (record.pathname, record.lineno), time.monotonic()
        began, count = self.minutes.get(place, (now, 0))
        if now - began >= 60:
            if count > MOST:
                record.left_out = count - MOST
            began, count = now, 0
        self.minutes[place] = began, count + 1
        return count < MOST


class Lines(logging.Formatter):
    """For programs."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.fields(record), default=str)

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What a line holds, in its order."""
        said: dict[str, Any] = {
            "time": rfc3339(int(record.created * 1_000_000) * 1_000),
            "level": record.levelname.lower(),
            "process": record.process,
            "message": _cut(record.getMessage(), LONGEST_MESSAGE),
        }
        if left_out := getattr(record, "left_out", 0):
            said["left_out"] = left_out
        said.update(getattr(record, "about", {}))
        if record.exc_info:
            backwards = self.formatException(record.exc_info)[::-1]
            said["traceback"] = _cut(backwards, LONGEST_TRACEBACK)[::-1]
        return said


class ReadableLines(Lines):
    """For people. What a stranger sent cannot move the terminal's cursor."""

    def format(self, record: logging.LogRecord) -> str:
        said = self.fields(record)
        traceback = said.pop("traceback", "")
        when, level, _, message = (said.pop(key) for key in [*said][:4])
        rest = (f"{key}={json.dumps(value, default=str)}" for key, value in said.items())
        lines = [" ".join([when, f"{level:<8}", message, *rest]), *traceback.splitlines()]
        return "\n".join(map(printable, lines))


def printable(line: str) -> str:
    """With an escape in the place of what would move the terminal's cursor."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in line
    )


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own, whose handler takes what the service says as well."""

    def setup(self, cfg: Any) -> None:
        """When gunicorn starts, and again with each SIGHUP."""
        super().setup(cfg)
        (handler,) = self.error_log.handlers
        handler.setFormatter(ReadableLines() if sys.stderr.isatty() else Lines())
        handler.addFilter(Limit())
        logging.basicConfig(handlers=[handler], level=self.loglevel, force=True)
        sys.excepthook = lambda *trouble: self.critical("the end", exc_info=trouble)
        threading.excepthook = lambda died: self.critical("a thread's end", exc_info=died[:3])
