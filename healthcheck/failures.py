"""What can go wrong between us and the service, in words and with its reason."""

from __future__ import annotations

import socket
import ssl

import requests
import urllib3

from healthcheck.reading import Trouble
from healthcheck.transport import TooLong

LATE = "no complete answer in time"
# ValueError: urllib3 lets some of those through that a malformed answer causes.
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError)
# The first that fits wins.
CAUSES: tuple[tuple[type[BaseException], str, str], ...] = (
    (requests.exceptions.ProxyError, "proxy", "the proxy of the environment gives no connection"),
    (requests.exceptions.InvalidProxyURL, "proxy", "the proxy of the environment is no URL"),
    (requests.exceptions.InvalidSchema, "proxy", "proxies of that kind are not supported"),
    (urllib3.exceptions.ProxySchemeUnknown, "proxy", "proxies of that kind are not supported"),
    (socket.gaierror, "dns", "the service's name does not resolve"),
    (ConnectionRefusedError, "refused", "the connection is refused"),
    (TooLong, "body", "the answer's headers are longer than 64 KiB"),
    (urllib3.exceptions.DecodeError, "body", "the answer cannot be decompressed"),
    (requests.exceptions.ContentDecodingError, "body", "the answer cannot be decompressed"),
    (ssl.SSLCertVerificationError, "tls", "the service's certificate is not valid"),
    (ssl.SSLError, "tls", "the connection cannot be encrypted (TLS)"),
    (TimeoutError, "timeout", LATE),
    (requests.Timeout, "timeout", LATE),
    (urllib3.exceptions.TimeoutError, "timeout", LATE),
)
CERTIFICATE_DATES = (9, 10)  # OpenSSL's codes for one that is not yet, or no longer, valid


def explained(trouble: BaseException) -> Trouble:
    """A transport failure in words, by what is behind it."""
    chain: list[BaseException] = []
    cause: BaseException | None = trouble
    while cause is not None and cause not in chain:
        chain.append(cause)
        inner = getattr(cause, "reason", None) or next(
            (arg for arg in cause.args if isinstance(arg, BaseException)), None
        )
        cause = inner if isinstance(inner, BaseException) else cause.__context__
    for kind, reason, text in CAUSES:
        for one in chain:
            if isinstance(one, kind):
                why = getattr(one, "verify_message", "")
                dated = getattr(one, "verify_code", 0) in CERTIFICATE_DATES
                return Trouble(reason, f"{text}: {why}" if why else text, by_own_clock=dated)
    return Trouble("unreachable", f"the connection broke ({type(chain[-1]).__name__})")
