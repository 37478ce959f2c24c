"""The HTTP side. Three resources, each for GET, HEAD and OPTIONS:

/now     the time: {"now", "epoch", "tz", "instance", "zone", "version", "clock"}; `clock` as timeserver.Status says.
         format=json|text|epoch, or Accept: application/json or text/plain; the parameter wins, and an Accept that
         allows neither gets JSON all the same (the time is more use than a 406).
         tz=Europe/Berlin shows `now` in that zone of the IANA database; names are case-sensitive. Default: UTC.
         An unknown or empty value is a 400, and so is a parameter given twice. Other parameters are ignored.
/health  {"healthy", "reason", "clock"}; 200 while the process works and its clock is not known to be wrong, else 503.
         For the balancer only.
/        a page for people (page/).

Every answer is for this moment only (no-store), may be read by any web page (CORS), and says what it is (nosniff).
Errors too; they are JSON: {"error": {"status": 404, "message": "..."}}, and a 500 has an "id" as well: request_id of
its line in the log (log.py). (What is no HTTP, or too long, never gets here: worker.py refuses it, in the same form.)
docs/openapi.yaml says all of this to programs.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from flask import Flask, Response, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError

from service import page
from service.log import about, request_id
from service.timeserver import Monitor
from service.timestamp import epoch, rfc3339

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

FORMATS = ("json", "text", "epoch")

HEADERS = {
    "Cache-Control": "no-store",
    "Vary": "Accept",
    "Access-Control-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The last three do not fall back to default-src.
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}

# Of the page alone: nothing else is shown as one.
PAGE_HEADERS = HEADERS | {
    "Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; {page.POLICY}"
}


def create_app(monitor: Monitor | None = None) -> Flask:
    """The WSGI application. Without a monitor it starts one of its own, on TIMESERVICE_TIME_SERVER."""
    app = Flask(__name__, static_folder=None)
    if monitor is None:
        monitor = Monitor(_setting("TIME_SERVER", "169.254.169.123"))
        monitor.start()
    identity = {
        "instance": _setting("INSTANCE", "local"),
        "zone": _setting("ZONE", "local"),
        "version": _setting("VERSION", "development"),
    }
    # Read once; a name is looked up here, and never becomes a path. `localtime` is the machine's, not IANA's.
    zones = available_timezones() - {"localtime"}

    @app.get("/now")
    def now() -> Response:
        form, (zone_name, zone) = _format(), _zone(zones)
        rest = {"tz": zone_name, **identity, "clock": monitor.status().clock}
        # The clock is read last: all that is left to do after it is to write it down.
        if form != "json":
            nanoseconds = time.time_ns()
            text = epoch(nanoseconds) if form == "epoch" else rfc3339(nanoseconds, zone)
            return Response(text + "\n", mimetype="text/plain")
        tail = json.dumps(rest)[1:]
        nanoseconds = time.time_ns()
        head = f'{{"now": "{rfc3339(nanoseconds, zone)}", "epoch": {epoch(nanoseconds)}, '
        return Response(head + tail + "\n", mimetype="application/json")

    @app.get("/health")
    def health() -> Response:
        status = monitor.status()
        report = {"healthy": status.healthy, "reason": status.reason, "clock": status.clock}
        return _json(report, 200 if status.healthy else 503)

    @app.get("/")
    def people() -> str:
        status = monitor.status()
        return page.render(time.time_ns(), status, identity)

    @app.errorhandler(HTTPException)
    def refusal(refused: HTTPException) -> Response:
        status = refused.code or 500
        answer = _json({"error": {"status": status, "message": refused.description}}, status)
        answer.headers.extend(one for one in refused.get_headers() if one[0] == "Allow")
        return answer

    @app.errorhandler(Exception)
    def failure(_cause: Exception) -> Response:
        name = request_id(request.headers.get("X-Amzn-Trace-Id"))
        line = about(request_id=name, method=request.method, path=request.path, status=500)
        log.exception("a request failed by our fault", extra=line)
        message = InternalServerError.description
        return _json({"error": {"status": 500, "message": message, "id": name}}, 500)

    app.wsgi_app = _with_headers(app.wsgi_app)  # type: ignore[assignment, method-assign]
    return app


def _with_headers(inner: WSGIApplication) -> WSGIApplication:
    """HEADERS on every answer, once Flask has made it: it would check and copy them anew, a seventh of all its work.
    And an empty path is / (RFC 9110, section 4.2.3): Flask would redirect there, on whatever host the client names."""
    of_all, of_page = list(HEADERS.items()), list(PAGE_HEADERS.items())

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = environ["PATH_INFO"] or "/"
        added = of_page if environ["PATH_INFO"] == "/" else of_all

        def start(status: str, headers: list[tuple[str, str]], *trouble: Any) -> Any:
            return start_response(status, [*headers, *added], *trouble)

        return inner(environ, start)

    return outer


def _setting(name: str, default: str) -> str:
    return os.environ.get(f"TIMESERVICE_{name}") or default


def _json(content: dict[str, object], status: int) -> Response:
    return Response(json.dumps(content) + "\n", status, mimetype="application/json")


def _parameter(name: str) -> str | None:
    values = request.args.getlist(name)
    if len(values) > 1:
        raise BadRequest(f"{name} is given more than once")
    return values[0] if values else None


def _format() -> str:
    asked = _parameter("format")
    if asked is None:
        # Without parameters: a charset is no reason to get another type.
        accept = MIMEAccept([(kind.split(";")[0], q) for kind, q in request.accept_mimetypes])
        best = accept.best_match(["application/json", "text/plain"])
        return "text" if best == "text/plain" else "json"
    if asked not in FORMATS:
        raise BadRequest(f"format must be one of {', '.join(FORMATS)}")
    return asked


def _zone(zones: set[str]) -> tuple[str, tzinfo]:
    name = _parameter("tz")
    if name is None or name == "UTC":
        return "UTC", UTC
    if name not in zones:
        raise BadRequest("tz must be a zone of the IANA database, such as Europe/Berlin")
    return name, ZoneInfo(name)
