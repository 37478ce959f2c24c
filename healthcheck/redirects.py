"""Finds out where a URL leads to, before anything is measured: a redirect must not be on the way of a sample."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

from healthcheck.reading import Trouble
from healthcheck.samples import Service
from healthcheck.target import BadUrl, checked

MOST = 5  # redirects in a row


def destination(url: str, service: Callable[[str], Service]) -> str:
    """The URL that answers without a redirect; raises Trouble. `service`: how to ask one."""
    for _ in range(MOST + 1):
        with service(url) as asked:
            location = asked.location()
        if location is None:
            return url
        try:
            # Without what the URL before may hold for its own server: the new one may be another.
            url = checked(urljoin(url, location))
        except (BadUrl, ValueError):
            raise Trouble("redirect", "redirects to something that is no URL of HTTP") from None
    raise Trouble("redirect", f"redirects more than {MOST} times")
