"""Which URL to check, when the user does not say, and what a user's short form means."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"  # where local deployments that are up write their URL
PATIENCE = 15.0  # seconds; that pulumi may take


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


def default() -> str | None:
    """TIMESERVICE_URL, else the local deployment's, else `pulumi stack output url`; None if there is none."""
    if url := os.environ.get("TIMESERVICE_URL"):
        return url
    if written := sorted(BUILD.glob("local*/url")):  # that of no special name is first
        return written[0].read_text().strip() or None
    if pulumi := shutil.which("pulumi"):
        try:
            answer = subprocess.run(
                [pulumi, "stack", "output", "url", "--non-interactive"],
                cwd=ROOT
                if (ROOT / "Pulumi.yaml").exists()
                else None,  # None: it was installed alone
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if answer.returncode == 0:
            return answer.stdout.strip() or None
    return None
