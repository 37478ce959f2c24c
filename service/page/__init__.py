"""The page for people: page.html with its style and script in it.

They are in one file because the balancer forwards no path but / and /now. The
Content-Security-Policy names both by their digests, so the browser runs no other script. Trusted
types keep strings from becoming HTML or code.
"""

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from service.clock import REASONS, UNHEALTHY, State
from service.timeserver import Status

FOLDER = Path(__file__).parent
HTML, STYLE, SCRIPT = (
    (FOLDER / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


# Added to the policy of all responses (app.py), which allows nothing.
POLICY = (
    f"style-src {_digest(STYLE)}; script-src {_digest(SCRIPT)}; connect-src 'self';"
    " img-src data:; require-trusted-types-for 'script'; trusted-types 'none'"
)


def _level(state: State) -> str:
    """Return how good a state of a host's clock is, for the style."""
    if state in UNHEALTHY:
        return "bad"
    return "good" if state == "synchronised" else "warn"


# Compiled once, which costs less than a template for each page.
TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined).from_string(
    HTML,
    globals={
        "style": Markup(STYLE),  # noqa: S704 - a file of this package
        "script": Markup(SCRIPT),  # noqa: S704 - a file of this package
        "states": htmlsafe_json_dumps(
            {state: [_level(state), reason.capitalize()] for state, reason in REASONS.items()}
        ),
    },
)


def render(nanoseconds: int, status: Status, identity: dict[str, str]) -> str:
    """Return the page, without a time if this host's own is known to be false.

    nanoseconds: the time since 1970. status: of this host's clock. identity: instance, zone and
    version.
    """
    moment = None if status.state == "wrong" else datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    level, reason = _level(status.state), status.reason.capitalize()
    return TEMPLATE.render(moment=moment, level=level, reason=reason, **identity)
