"""The Flask application: `create_app` makes it, service/views.py holds what it answers.

Every response is for this moment only (no-store), any web page may read it (CORS), and its type is
what it says (nosniff). docs/openapi.yaml describes all requests and responses.
"""

import os

from flask import Flask, Response, request

from service import page, views
from service.timeserver import Monitor

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
    app.after_request(_add_headers)
    return app


def _setting(name: str, default: str) -> str:
    return os.environ.get(f"TIMESERVICE_{name}") or default


def _add_headers(response: Response) -> Response:
    response.headers.extend(PAGE_HEADERS if request.path == "/" else HEADERS)
    return response
