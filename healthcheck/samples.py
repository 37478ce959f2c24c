"""Asks the service for the time, over one connection, and turns each answer into an interval for its clock's offset.

The server read its clock after we sent the request and before its answer was here, so whatever the way there and the way
back took, its offset to our clock lies in [stated - our time at the end, stated + resolution - our time at the start].
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from typing import NamedTuple

import requests
import urllib3

from healthcheck import __version__
from healthcheck.interval import Interval
from healthcheck.timestamp import BadTimestamp, Timestamp, parse

MAX_BODY = 64 * 1024  # bytes; an answer has a few hundred
MAX_STEP = 0.005  # seconds that our two clocks may drift apart during a request, or ours was set in the meantime
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # what is not compressed cannot be a bomb
    "Cache-Control": "no-cache",
    "User-Agent": f"timeservice-healthcheck/{__version__}",
}


class Trouble(Exception):
    """The service gave no usable answer. `reason` is a stable identifier, the text says it for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Sample(NamedTuple):
    """One answer of the service's.

    instance: which host gave it. offset: its clock minus ours, in seconds. stated: the time it said.
    at: our steady clock at the end, in seconds. usable: False if our own clock was set in the meantime.
    """

    instance: str
    offset: Interval
    stated: Timestamp
    at: float
    usable: bool = True


class Service:
    """A connection to the service; a context manager."""

    def __init__(self, url: str, deadline: float) -> None:
        """url: what to GET. deadline: on the steady clock (perf_counter), in seconds, for all requests together."""
        self.url = url
        self.deadline = deadline
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies and no .netrc: whose clock would that be?
        self._session.headers.update(HEADERS)

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def sample(self) -> Sample:
        """Ask once; raises Trouble. The first call makes the connection, so its interval is wide."""
        wall, steady = time.time(), time.perf_counter()
        try:
            with self._session.get(
                self.url, timeout=self._left(), allow_redirects=False, stream=True
            ) as answer:
                arrived, wall_arrived = time.perf_counter(), time.time()
                self._check(answer)
                body = self._read(answer)
        except requests.RequestException as trouble:
            raise explained(trouble) from None
        stated, instance = understood(body)
        elapsed = arrived - steady
        return Sample(
            instance,
            Interval(stated.seconds - (wall + elapsed), stated.seconds + stated.resolution - wall),
            stated,
            arrived,
            abs((wall_arrived - wall) - elapsed) <= MAX_STEP,
        )

    def _left(self) -> float:
        left = self.deadline - time.perf_counter()
        if left <= 0:
            raise Trouble("timeout", "no complete answer before the deadline")
        return left

    @staticmethod
    def _check(answer: requests.Response) -> None:
        if answer.is_redirect:
            raise Trouble(
                "redirect", f"answered {answer.status_code}: a redirect, which is not followed"
            )
        if answer.status_code != 200:
            raise Trouble("status", f"answered {answer.status_code} {answer.reason}")
        if "Age" in answer.headers:
            raise Trouble(
                "cached", f"the answer comes from a cache (Age: {answer.headers['Age'][:20]})"
            )

    def _read(self, answer: requests.Response) -> bytes:
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
        raise Trouble(
            "body", f"the answer is not JSON: {body[:60].decode(errors='replace')!r}"
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("now"), str):
        raise Trouble("body", 'the answer has no text called "now"')
    try:
        return parse(content["now"]), str(content.get("instance", "?"))[:64]
    except BadTimestamp as wrong:
        raise Trouble("body", str(wrong)) from None


def explained(trouble: BaseException) -> Trouble:
    """A transport failure in words, by its deepest cause."""
    chain: list[BaseException] = []
    cause: BaseException | None = trouble
    while cause is not None and cause not in chain:
        chain.append(cause)
        inner = getattr(cause, "reason", None) or next(
            (arg for arg in cause.args if isinstance(arg, BaseException)), None
        )
        cause = inner if isinstance(inner, BaseException) else cause.__context__
    kinds: list[tuple[type[BaseException], str, str]] = [
        (socket.gaierror, "dns", "its name does not resolve"),
        (ConnectionRefusedError, "refused", "the connection is refused"),
        (ssl.SSLError, "tls", "TLS fails"),
        (TimeoutError, "timeout", "no complete answer before the deadline"),
        (requests.Timeout, "timeout", "no complete answer before the deadline"),
        (urllib3.exceptions.TimeoutError, "timeout", "no complete answer before the deadline"),
        (requests.exceptions.InvalidURL, "url", "the URL is not valid"),
    ]
    for kind, reason, text in kinds:
        if any(isinstance(one, kind) for one in chain):
            return Trouble(reason, text)
    return Trouble("unreachable", f"the connection broke ({type(chain[-1]).__name__})")
