"""The service's log on stderr: one JSON object a line.

time        RFC 3339 in UTC, by this host's own clock
level       debug, info, warning, error or critical
process     the process id: gunicorn's first process, or one of its workers
message     what happened
left_out    how many lines of the same place in the code were dropped since its last line

The other fields appear only where they apply:

state, offset, bound    of our clock, as /now shows them; and `healthy`
server, trouble         the time server, and what is wrong with its responses; null if nothing is
reason                  why a malformed request was refused; this may quote some of it
request_id              of a request that failed by our fault; its response has the same id
method, path, status    of that request, without its query
traceback               of an error in this program

A request that succeeds has no line, which would cost more than the response. Lines that are not
JSON come from before the log is set up, or from gunicorn, which prints some messages twice.
"""

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

# From each place in the code, in each process.
LINES_PER_MINUTE = 20
# Characters of JSON, which writes six or twelve for a strange one. Docker breaks lines of 16 KB.
LONGEST_FIELD = 400
LONGEST_MESSAGE = 2_000
LONGEST_TRACEBACK = 8_000

TRACE_ROOT = re.compile(r"(?:^|;)Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)")


def log_fields(**fields: object) -> dict[str, Any]:
    """Return the `extra` of a logging call. Texts are cut, because they may be a stranger's."""
    for key, value in fields.items():
        if isinstance(value, str):
            fields[key] = _cut(value, LONGEST_FIELD)
    return {"fields": fields}


def _cut(text: str, longest: int) -> str:
    """Shorten the text by tenths until its JSON form has at most `longest` characters."""
    text = text[:longest]
    while len(json.dumps(text)) > longest:
        text = text[: len(text) * 9 // 10]
    return text


def request_id(trace: str | None) -> str:
    """Return the Root of an X-Amzn-Trace-Id, by which the balancer names a request.

    Anyone may send that header. Without a Root of that form, a new one is returned.
    """
    match = TRACE_ROOT.search(trace or "")
    return match[1] if match else f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"


class RateLimit(logging.Filter):
    """Passes LINES_PER_MINUTE from each place in the code; the next line has the number dropped.

    The log's size is limited. A flood of one message would push the other messages out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.minutes: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place, now = (record.pathname, record.lineno), time.monotonic()
        began, count = self.minutes.get(place, (now, 0))
        if now - began >= 60:
            record.left_out = max(count - LINES_PER_MINUTE, 0)
            began, count = now, 0
        self.minutes[place] = began, count + 1
        return count < LINES_PER_MINUTE


class JSONFormatter(logging.Formatter):
    """Writes a record as the fields above, in their order."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": rfc3339(int(record.created * 1_000_000) * 1_000),
            "level": record.levelname.lower(),
            "process": record.process,
            "message": _cut(record.getMessage(), LONGEST_MESSAGE),
        }
        if left_out := getattr(record, "left_out", 0):
            line["left_out"] = left_out
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            # The end of a traceback tells the most, so its beginning is cut.
            backwards = self.formatException(record.exc_info)[::-1]
            line["traceback"] = _cut(backwards, LONGEST_TRACEBACK)[::-1]
        return json.dumps(line, default=str)


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's logger, whose handler also takes the lines of the service."""

    def setup(self, cfg: Any) -> None:
        """Set the log up, at gunicorn's start and again at each SIGHUP."""
        super().setup(cfg)
        (handler,) = self.error_log.handlers
        handler.setFormatter(JSONFormatter())
        handler.addFilter(RateLimit())
        logging.basicConfig(handlers=[handler], level=self.loglevel, force=True)
        sys.excepthook = lambda *error: self.critical(
            "uncaught exception: the process ends", exc_info=error
        )
        threading.excepthook = lambda died: self.critical(
            "uncaught exception in a thread", exc_info=died.exc_value
        )
