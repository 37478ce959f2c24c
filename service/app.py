"""The HTTP side. Three resources, each for GET and HEAD:

/now     the time. JSON unless told otherwise:
         ?format=json|text|epoch, or Accept: application/json or text/plain; the parameter wins, and an Accept that
         allows neither gets JSON all the same (the time is more use than a 406). ?tz=Europe/Berlin shows it in
         that zone of the IANA database. An unknown format or zone is a 400; other parameters are ignored.
/health  200 while the process works and its clock is not known to be wrong, else 503. For the balancer only.
/        a page for people.

Every answer is for this moment only (no-store), may be read by any web page (CORS), and says what it is (nosniff).
Errors are JSON: {"error": "..."}.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from flask import Flask, Response, json, render_template_string, request
from werkzeug.exceptions import BadRequest, HTTPException

from service.timeserver import Monitor
from service.timestamp import epoch, rfc3339

FORMATS = ("json", "text", "epoch")

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Time service</title>
<h1><time datetime="{{ now }}">{{ now }}</time></h1>
<p>The time when you asked, by host {{ instance }} in zone {{ zone }}, release {{ version }};
its clock is {{ clock.state.replace("_", " ") }}.</p>
<p><a href="/now">The time for programs</a></p>
</html>
"""


def create_app(monitor: Monitor | None = None) -> Flask:
    """The WSGI application. Without a monitor it starts one of its own, on TIMESERVICE_TIME_SERVER."""
    app = Flask(__name__, static_folder=None)
    if monitor is None:
        monitor = Monitor(os.environ.get("TIMESERVICE_TIME_SERVER", "169.254.169.123"))
        monitor.start()
        monitor.wait()
    identity = {
        "instance": os.environ.get("TIMESERVICE_INSTANCE", "local"),
        "zone": os.environ.get("TIMESERVICE_ZONE", "local"),
        "version": os.environ.get("TIMESERVICE_VERSION", "development"),
    }
    zones = available_timezones()  # read once; a name is looked up here, and never becomes a path

    @app.get("/now")
    def now() -> Response:
        form, (zone_name, zone) = _format(), _zone(zones)
        rest = {"tz": zone_name, **identity, "clock": monitor.report()}
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
        report = {"healthy": monitor.healthy, "clock": monitor.report()}
        return Response(
            json.dumps(report) + "\n",
            status=200 if report["healthy"] else 503,
            mimetype="application/json",
        )

    @app.get("/")
    def page() -> str:
        return render_template_string(
            PAGE, now=rfc3339(time.time_ns()), clock=monitor.report(), **identity
        )

    @app.errorhandler(HTTPException)
    def error(refused: HTTPException) -> Response:
        answer = Response(json.dumps({"error": refused.description}) + "\n", refused.code)
        answer.headers.extend(
            (name, value) for name, value in refused.get_headers() if name == "Allow"
        )
        answer.mimetype = "application/json"
        return answer

    @app.after_request
    def headers(answer: Response) -> Response:
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["Vary"] = "Accept"
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Content-Security-Policy"] = "default-src 'none'"
        return answer

    return app


def _format() -> str:
    asked = request.args.get("format")
    if asked is None:
        best = request.accept_mimetypes.best_match(["application/json", "text/plain"])
        return "text" if best == "text/plain" else "json"
    if asked not in FORMATS:
        raise BadRequest(f"format must be one of {', '.join(FORMATS)}")
    return asked


def _zone(zones: set[str]) -> tuple[str, tzinfo]:
    name = request.args.get("tz", "UTC")
    if name == "UTC":
        return name, UTC
    if name not in zones:
        raise BadRequest("tz must be a zone of the IANA database, such as Europe/Berlin")
    return name, ZoneInfo(name)
