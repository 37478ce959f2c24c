"""Asks the service for the time, over one connection, and turns each answer into an interval for its clock's offset.

The server read its clock after we sent the request and before its answer was here. So, however long the way there and
the way back took, its offset to ours lies in
[stated - our time at the end, stated + resolution - our time at the start].
"""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus

import requests

from healthcheck import __version__
from healthcheck.clock import Own, own, steady
from healthcheck.failures import FAILURES, LATE, explained
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
LONGEST_NAME = 64  # characters of an instance's name, or its version's, that are told


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
        try:
            before, sent, answer = self._asked()
            with answer:
                self._check(answer)
                body = self._read(answer)
                # Not before the body: a service may send its headers and look at its clock only then.
                arrived = steady()
        except FAILURES as trouble:
            raise explained(trouble) from None
        stated, instance, version = understood(body)
        offset = Interval(stated.seconds - arrived, stated.seconds + stated.resolution - sent)
        return Sample(
            instance, offset.moved(-before.epoch), stated, sent, arrived, before, own(), version
        )

    def _asked(self) -> tuple[Own, float, requests.Response]:
        """Our clocks before the request, and the answer as far as its headers.

        A server may close a connection that is kept open at any moment, also while a request is under way to it; that
        request is made again on a new one (RFC 9112, section 9.3.1).
        """
        connections = self._transport.opened
        before, sent = own(), steady()
        try:
            return before, sent, self._get()
        except requests.ConnectionError as trouble:
            if isinstance(trouble, requests.Timeout) or self._transport.opened > connections:
                raise
        before, sent = own(), steady()
        return before, sent, self._get()

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


def understood(body: bytes) -> tuple[Timestamp, str, str]:
    """The time, the instance and its version that an answer's JSON states; raises Trouble."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        start = body[:60].decode(errors="replace")
        raise Trouble("body", f"the answer is not JSON: {start!a}") from None
    if not isinstance(content, dict) or not isinstance(content.get("now"), str):
        raise Trouble("body", 'the answer has no text called "now"')
    try:
        return (
            parse(content["now"]),
            _named(content.get("instance")),
            _named(content.get("version")),
        )
    except BadTimestamp as wrong:
        raise Trouble("body", str(wrong)) from None


def _named(told: object) -> str:
    """A name as it can be printed: it must not break the line, speak to the terminal, or be another's."""
    name = ascii(str(told or UNNAMED))[1:-1]
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: LONGEST_NAME - 1 - len(digest)]}~{digest}"
