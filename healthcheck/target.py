"""Complete the URL of a service, and refuse one that cannot be asked."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import requests


class BadUrl(ValueError):
    """Not a URL that could be asked; the text says why, and does not repeat it: it may hold a password."""


def completed(url: str) -> str:
    """`url` with a scheme, and with /now where it has no path; raises BadUrl."""
    parts = urlsplit(checked(url if "://" in url else f"http://{url}"))
    return urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else "/now"))


def checked(url: str) -> str:
    """`url` if it is one of HTTP; raises BadUrl."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")  # each part of a name has 1 to 63 characters
        requests.Request("GET", url).prepare()  # else it would be refused when it is asked
    except (ValueError, requests.RequestException):
        raise BadUrl("that is not a URL: its host or its port cannot be read") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise BadUrl("that is not a URL such as http://example.org or http://[::1]:8080/now")
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        # More often than a part of a path it is the rest of a password, which then would be printed.
        raise BadUrl(
            "that is not a URL: an @ behind the host must be written as %40, and # or / in a password too"
        )
    return url


def without_credentials(url: str) -> str:
    """The URL as it may be printed."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
