"""What can go wrong between the checker and the service: the reason and the text for each."""

import socket
import ssl

import requests
import urllib3

from healthcheck.reading import Trouble
from healthcheck.transport import TooLong

LATE = "no complete response in time"
# urllib3 lets some ValueErrors through that a malformed response causes.
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError)
BAD_PROXY = (
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.InvalidSchema,
    urllib3.exceptions.ProxySchemeUnknown,
)
# The first that fits is the reason.
CAUSES = (
    (requests.exceptions.ProxyError, "proxy", "the environment's proxy gives no connection"),
    (BAD_PROXY, "proxy", "the environment's proxy is not an http:// URL"),
    (socket.gaierror, "dns", "the service's name does not resolve"),
    (ConnectionRefusedError, "refused", "the connection is refused"),
    (TooLong, "body", "the response's headers are longer than 64 KiB"),
    (ssl.SSLCertVerificationError, "tls", "the service's certificate is not valid"),
    (ssl.SSLError, "tls", "the connection cannot be encrypted (TLS)"),
    ((TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError), "timeout", LATE),
)
# OpenSSL's codes for a certificate that is not yet, or no longer, valid.
CERTIFICATE_DATES = (9, 10)


def explain(failure: BaseException) -> Trouble:
    """Return the Trouble for a failure of the transport, by the first known cause behind it."""
    chain = _causes(failure)
    for kind, reason, text in CAUSES:
        for cause in chain:
            if isinstance(cause, kind):
                details = getattr(cause, "verify_message", "")
                is_dated = getattr(cause, "verify_code", 0) in CERTIFICATE_DATES
                text = f"{text}: {details}" if details else text
                return Trouble(reason, text, by_own_clock=is_dated)
    return Trouble("unreachable", f"the connection broke ({type(chain[-1]).__name__})")


def _causes(failure: BaseException) -> list[BaseException]:
    """Return the failure and what is behind it; libraries keep that in several places."""
    chain: list[BaseException] = []
    cause: BaseException | None = failure
    while cause is not None and cause not in chain:
        chain.append(cause)
        inner = getattr(cause, "reason", None) or next(
            (arg for arg in cause.args if isinstance(arg, BaseException)), None
        )
        cause = inner if isinstance(inner, BaseException) else cause.__context__
    return chain
