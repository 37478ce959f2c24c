"""The Flask application: `create_app` makes it, service/views.py holds what it answers.

Every response is for this moment only (no-store), any web page may read it (CORS), and its type is
what it says (nosniff). docs/openapi.yaml describes all requests and responses.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask

from service import page, views
from service.timeserver import Monitor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

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

# Flask refuses some hosts of other forms, such as one with a label of more than 63 characters.
HOST = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*(:[0-9]{1,5})?")

# Only / is shown as a page, so only / needs a style and a script.
PAGE_HEADERS = HEADERS | {
    "Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; {page.POLICY}"
}


def create_app(monitor: Monitor | None = None) -> Flask:
    """Return the WSGI application.

    Without a monitor, the application starts one that asks TIMESERVICE_TIME_SERVER.
    """
    app = Flask(__name__, static_folder=None)
    if monitor is None:
        monitor = Monitor(_setting("TIME_SERVER", "169.254.169.123"))
        monitor.start()
    app.extensions["monitor"] = monitor
    app.extensions["identity"] = {
        "instance": _setting("INSTANCE", "local"),
        "zone": _setting("ZONE", "local"),
        "version": _setting("VERSION", "development"),
    }
    app.register_blueprint(views.blueprint)
    app.wsgi_app = _answer(app.wsgi_app, app.extensions)  # type: ignore[assignment, method-assign]
    return app


def _setting(name: str, default: str) -> str:
    return os.environ.get(f"TIMESERVICE_{name}") or default


def is_plain(environ: WSGIEnvironment) -> bool:
    """Return whether this is GET /now in JSON and UTC: what nearly all clients request."""
    return (
        environ["PATH_INFO"] == "/now"
        and environ["REQUEST_METHOD"] == "GET"
        and not environ.get("QUERY_STRING")
        and environ.get("HTTP_ACCEPT", "*/*") in ("*/*", "application/json")
        # Flask refuses a WebSocket.
        and "HTTP_UPGRADE" not in environ
        and HOST.fullmatch(environ.get("HTTP_HOST", "")) is not None
    )


def _answer(flask: WSGIApplication, parts: Mapping[str, Any]) -> WSGIApplication:
    """Return an application that adds HEADERS to each response, and enters Flask if it must.

    Flask takes ten times as long as the plain GET /now itself, a seventh of it for HEADERS alone.
    """
    common_headers, page_headers = list(HEADERS.items()), list(PAGE_HEADERS.items())

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # An empty path is / (RFC 9110, section 4.2.3). Flask would redirect it, to whatever host
        # the client names.
        environ["PATH_INFO"] = environ["PATH_INFO"] or "/"
        added = page_headers if environ["PATH_INFO"] == "/" else common_headers

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            return start_response(status, [*headers, *added], *exc_info)

        if is_plain(environ):
            # Flask meets the same error, and handles it.
            with contextlib.suppress(Exception):
                body = views.write_now(parts).encode()
                length = ("Content-Length", str(len(body)))
                start("200 OK", [("Content-Type", "application/json"), length])
                return [body]
        return flask(environ, start)

    return outer
