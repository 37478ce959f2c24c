"""Complete the URL of a service, and refuse one that cannot be requested."""

from urllib.parse import urlsplit, urlunsplit

import requests


class BadUrl(ValueError):
    """A URL that cannot be requested. The text does not repeat it: it may hold a password."""


def complete_url(url: str) -> str:
    """Add the scheme where there is none, and /now where there is no path.

    Raises BadUrl unless it is a URL of HTTP that requests would send.
    """
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        # Each part of a name has 1 to 63 characters.
        (host or "").encode("idna")
        requests.Request("GET", url).prepare()
    except (ValueError, requests.RequestException):
        raise BadUrl(
            "the URL is not valid, because its host or port cannot be read: "
            "give one such as http://example.org:8080"
        ) from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise BadUrl(
            "the URL is not valid: give one such as http://example.org or http://[::1]:8080/now"
        )
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        # An at sign is rarely part of a path, and often the rest of a password, which would be
        # printed.
        raise BadUrl(
            "the URL is not valid: write an at sign after the host as %40, "
            "and in a password # as %23 and / as %2F"
        )
    return urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else "/now"))


def remove_credentials(url: str) -> str:
    """Return the URL without a user name and password, to be printed."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
