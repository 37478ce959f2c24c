"""What the service answers: the time at /now, its health at /health, and a page at /.

A host whose clock is known to be wrong returns no time: /now and the page are then a 503.

Errors are JSON too: {"error": {"status": 404, "message": "..."}}. A 500 also has an "id", the
request_id of its line in the log. service/worker.py refuses what is not HTTP, in the same form.
"""

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from flask import Blueprint, Response, current_app, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError, ServiceUnavailable

from service import page
from service.log import log_fields, request_id
from service.timeserver import Status
from service.timestamp import epoch, rfc3339

FORMATS = ("json", "text", "epoch")
# A zone's name is looked up here, and never becomes a path. `localtime` is not IANA's.
ZONES = available_timezones() - {"localtime"}

blueprint = Blueprint("service", __name__)
log = logging.getLogger(__name__)


@blueprint.get("/now")
def now() -> Response:
    """Return the time, or a 503 if this host's own is known to be false.

    format=json|text|epoch, or else Accept, chooses the form. tz=Europe/Berlin chooses the zone.
    An unknown, empty or repeated value is a 400. Other parameters are ignored.
    """
    form, zone = _format(), _zone()
    text = write_now(current_app.extensions, form, zone)
    return Response(text, mimetype="application/json" if form == "json" else "text/plain")


def write_now(parts: Mapping[str, Any], form: str = "json", zone: tzinfo = UTC) -> str:
    """Return the body of /now. Raises ServiceUnavailable if this host's time is known to be false.

    parts: the application's `monitor` and `identity`. form: one of FORMATS.
    """
    identity, status = parts["identity"], parts["monitor"].status()
    if status.state == "wrong":
        raise ServiceUnavailable(f"{identity['instance']} returns no time: {status.reason}")
    tail = _format_tail(status, zone, **identity)
    # The clock is read last: only the writing of its digits is left after it.
    nanoseconds = time.time_ns()
    if form == "epoch":
        return f"{epoch(nanoseconds)}\n"
    now = rfc3339(nanoseconds, zone)
    if form == "text":
        return f"{now}\n"
    return f'{{"now": "{now}", "epoch": {epoch(nanoseconds)}, {tail}\n'


@lru_cache
def _format_tail(status: Status, zone: tzinfo, /, **identity: str) -> str:
    """Return what stays the same in /now while the status does."""
    return json.dumps({"tz": str(zone), **identity, "clock": status.clock})[1:]


@blueprint.get("/health")
def health() -> Response:
    """Return 200 while the process works and its clock is not known to be wrong, else 503.

    Only the balancer asks for it.
    """
    status = current_app.extensions["monitor"].status()
    report = {"healthy": status.healthy, "reason": status.reason, "clock": status.clock}
    return _json_response(report, 200 if status.healthy else 503)


# An empty path is / (RFC 9110, section 4.2.3). If slashes were strict, Flask would redirect it, to
# whatever host the client names.
@blueprint.get("/", strict_slashes=False)
def index() -> tuple[str, int]:
    """Return the page for people, or it without a time as a 503, as for /now."""
    status = current_app.extensions["monitor"].status()
    html = page.render(time.time_ns(), status, current_app.extensions["identity"])
    return html, 503 if status.state == "wrong" else 200


@blueprint.app_errorhandler(HTTPException)
def handle_http_error(error: HTTPException) -> Response:
    """Return a refusal as JSON, with the methods that are allowed."""
    status = error.code or 500
    response = _json_response({"error": {"status": status, "message": error.description}}, status)
    response.headers.extend(header for header in error.get_headers() if header[0] == "Allow")
    return response


@blueprint.app_errorhandler(Exception)
def handle_exception(_error: Exception) -> Response:
    """Log a fault of this program, and return a 500 that does not show the cause."""
    name = request_id(request.headers.get("X-Amzn-Trace-Id"))
    fields = log_fields(request_id=name, method=request.method, path=request.path, status=500)
    log.exception("a request failed by a fault of the service", extra=fields)
    message = InternalServerError.description
    return _json_response({"error": {"status": 500, "message": message, "id": name}}, 500)


def _json_response(content: dict[str, object], status: int) -> Response:
    return Response(json.dumps(content) + "\n", status, mimetype="application/json")


def _parameter(name: str) -> str | None:
    if len(request.args.getlist(name)) > 1:
        raise BadRequest(f"{name} is given more than once")
    return request.args.get(name)


def _format() -> str:
    """Return one of FORMATS. If Accept allows neither type, JSON is more use than a 406."""
    form = _parameter("format")
    if form is None:
        # Without parameters: a charset does not change which type the client wants.
        accept = MIMEAccept([(kind.split(";")[0], q) for kind, q in request.accept_mimetypes])
        best = accept.best_match(["application/json", "text/plain"])
        return "text" if best == "text/plain" else "json"
    if form not in FORMATS:
        raise BadRequest(f"format must be one of {', '.join(FORMATS)}")
    return form


def _zone() -> tzinfo:
    name = _parameter("tz")
    if name is None or name == "UTC":
        return UTC
    if name not in ZONES:
        raise BadRequest("tz must be a zone of the IANA database, such as Europe/Berlin")
    return ZoneInfo(name)
