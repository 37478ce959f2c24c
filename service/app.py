"""The Flask application: `create_app` makes it, service/views.py holds what it answers.

Every response is for this moment only (no-store), any web page may read it (CORS), and its type is
what it says (nosniff). docs/openapi.yaml describes all requests and responses.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
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
    app.wsgi_app = _add_headers(app.wsgi_app)  # type: ignore[assignment, method-assign]
    return app


def _setting(name: str, default: str) -> str:
    return os.environ.get(f"TIMESERVICE_{name}") or default


def _add_headers(inner: WSGIApplication) -> WSGIApplication:
    """Return an application that adds HEADERS to each response of the inner one.

    Flask would check and copy the headers for each response, which is a seventh of all its work.
    """
    common_headers, page_headers = list(HEADERS.items()), list(PAGE_HEADERS.items())

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # An empty path is / (RFC 9110, section 4.2.3). Flask would redirect it, to whatever host
        # the client names.
        environ["PATH_INFO"] = environ["PATH_INFO"] or "/"
        added = page_headers if environ["PATH_INFO"] == "/" else common_headers

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            return start_response(status, [*headers, *added], *exc_info)

        return inner(environ, start)

    return outer
