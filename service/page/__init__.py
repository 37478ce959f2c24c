"""The page for people: page.html with its style and script in it, as the balancer forwards no other path.

The Content-Security-Policy names both by their digests, so that nothing else is styled or run; no string becomes HTML
or code either (trusted types).
"""

from __future__ import annotations

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


# Beside that of all answers (app.py), which allows nothing.
POLICY = "; ".join(
    [
        f"style-src {_digest(STYLE)}",
        f"script-src {_digest(SCRIPT)}",
        "connect-src 'self'",
        "img-src data:",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)


def level(state: State) -> str:
    """How good or bad a state of a host's clock is, for the style."""
    return {"synchronised": "good"}.get(state, "bad" if state in UNHEALTHY else "warn")


def _sentence(reason: str) -> str:
    return reason[0].upper() + reason[1:]


# Compiled once; what does not change is filled in with the rest, which costs less than a template of its own.
TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined).from_string(
    HTML,
    globals={
        "style": Markup(STYLE),  # noqa: S704 - our own file, as the next
        "script": Markup(SCRIPT),  # noqa: S704 - our own file
        "states": htmlsafe_json_dumps(
            {state: [level(state), _sentence(reason)] for state, reason in REASONS.items()}
        ),
    },
)


def render(nanoseconds: int, status: Status, identity: dict[str, str]) -> str:
    """The page at that time (since 1970); status: of this host's clock; identity: instance, zone and version."""
    moment = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    return TEMPLATE.render(
        moment=moment, level=level(status.state), reason=_sentence(status.reason), **identity
    )
