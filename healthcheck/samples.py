"""Asks the service for the time, over one connection, and turns each answer into an interval for its clock's offset.

The server read its clock after we sent the request and before its answer was here. So, however long the way there and
the way back took, its offset to ours lies in
[stated - our time at the end, stated + resolution - our time at the start].
"""

from __future__ import annotations

import json
import socket
import ssl
from http import HTTPStatus

import requests
import urllib3

from healthcheck import __version__
from healthcheck.clock import own, steady
from healthcheck.interval import Interval
from healthcheck.reading import UNNAMED, Sample, Trouble
from healthcheck.timestamp import BadTimestamp, Timestamp, parse
from healthcheck.transport import Cuttable, refuse_negative_chunks

MAX_CONNECT = 3.0  # seconds; then the name's next address is tried
MAX_BODY = 64 * 1024  # bytes; an answer has a few hundred
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # what is not compressed cannot be a bomb
    "Cache-Control": "no-cache",
    "User-Agent": f"timeservice-healthcheck/{__version__}",
}
# ValueError: urllib3 lets some of those through that a malformed answer causes.
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError)
LATE = "no complete answer before the deadline"


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: else requests would read a redirect's body, however long, into memory to prepare for following it."""


class Service:
    """A connection to the service; a context manager."""

    def __init__(self, url: str, deadline: float, environment: bool = False) -> None:
        """url: what to GET. deadline: on the steady clock, in seconds, for all requests together. environment: whether
        proxies, .netrc and certificates that it names are used."""
        self.url = url
        self.deadline = deadline
        self._transport = Cuttable()
        self._session = _Session()
        self._session.trust_env = environment  # a proxy may keep old answers: whose clock is that?
        self._session.headers.update(HEADERS)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._transport)

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def cut(self) -> None:
        """End a `sample` that another thread waits for."""
        self._transport.cut()

    def sample(self) -> Sample:
        """Ask once; raises Trouble. The first call makes the connection, so its interval is wide."""
        before = own()
        sent = steady()
        try:
            with self._get() as answer:
                self._check(answer)
                body = self._read(answer)
                # Not before the body: a service may send its headers and look at its clock only then.
                arrived = steady()
        except FAILURES as trouble:
            raise explained(trouble) from None
        stated, instance = understood(body)
        offset = Interval(stated.seconds - arrived, stated.seconds + stated.resolution - sent)
        return Sample(instance, offset.moved(-before.epoch), stated, sent, arrived, before, own())

    def location(self) -> str | None:
        """Where the service redirects to; None if it answers anything else. Raises Trouble."""
        try:
            with self._get() as answer:
                return answer.headers["Location"] if answer.is_redirect else None
        except FAILURES as trouble:
            raise explained(trouble) from None

    def _get(self) -> requests.Response:
        return self._session.get(
            self.url, timeout=self._timeouts(), allow_redirects=False, stream=True
        )

    def _left(self) -> float:
        left = self.deadline - steady()
        if left <= 0:
            raise Trouble("timeout", LATE)
        return left

    def _timeouts(self) -> tuple[float, float]:
        """For the connection to each of the name's addresses, and for each read; seconds."""
        left = self._left()
        return min(MAX_CONNECT, left), left

    @staticmethod
    def _check(answer: requests.Response) -> None:
        code = answer.status_code
        if answer.is_redirect:
            raise Trouble("redirect", f"answered {code}: a redirect, which is not followed")
        if code != 200:
            # Our own words for the code: the server's may hold anything.
            known = f" {HTTPStatus(code).phrase}" if code in set(HTTPStatus) else ""
            raise Trouble("status", f"answered {code}{known}")
        if "Age" in answer.headers:
            age = answer.headers["Age"][:20]
            raise Trouble("cached", f"the answer comes from a cache (Age: {age!a})")

    def _read(self, answer: requests.Response) -> bytes:
        refuse_negative_chunks(answer.raw)
        body = b""
        for chunk in answer.iter_content(4096):
            body += chunk
            self._left()
            if len(body) > MAX_BODY:
                raise Trouble("body", f"the answer is longer than {MAX_BODY // 1024} KiB")
        return body


def understood(body: bytes) -> tuple[Timestamp, str]:
    """The time and the instance that an answer's JSON states; raises Trouble."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        start = body[:60].decode(errors="replace")
        raise Trouble("body", f"the answer is not JSON: {start!a}") from None
    if not isinstance(content, dict) or not isinstance(content.get("now"), str):
        raise Trouble("body", 'the answer has no text called "now"')
    # Printed later on: a name must not break the line, or speak to the terminal.
    instance = ascii(str(content.get("instance") or UNNAMED))[1:-1][:64]
    try:
        return parse(content["now"]), instance
    except BadTimestamp as wrong:
        raise Trouble("body", str(wrong)) from None


# The first that fits wins.
CAUSES: tuple[tuple[type[BaseException], str, str], ...] = (
    (requests.exceptions.ProxyError, "proxy", "the proxy of the environment gives no connection"),
    (requests.exceptions.InvalidProxyURL, "proxy", "the proxy of the environment is no URL"),
    (requests.exceptions.InvalidSchema, "proxy", "proxies of that kind are not supported"),
    (urllib3.exceptions.ProxySchemeUnknown, "proxy", "proxies of that kind are not supported"),
    (socket.gaierror, "dns", "the service's name does not resolve"),
    (ConnectionRefusedError, "refused", "the connection is refused"),
    (ssl.SSLCertVerificationError, "tls", "the service's certificate is not valid"),
    (ssl.SSLError, "tls", "the connection cannot be encrypted (TLS)"),
    (TimeoutError, "timeout", LATE),
    (requests.Timeout, "timeout", LATE),
    (urllib3.exceptions.TimeoutError, "timeout", LATE),
)


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
                return Trouble(reason, f"{text}: {why}" if why else text)
    return Trouble("unreachable", f"the connection broke ({type(chain[-1]).__name__})")
