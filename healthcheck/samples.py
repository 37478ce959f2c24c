"""Request the time over one connection, and turn each response into an interval of the offset.

The service reads its clock after the request leaves and before the response arrives. However long
either way takes, the service's clock minus ours lies in
[stated time - arrival, stated time + resolution - departure].
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from typing import Any

import requests

from healthcheck import __version__
from healthcheck.clock import read_clocks, steady_time
from healthcheck.dialer import Dialer
from healthcheck.failures import FAILURES, LATE, explain
from healthcheck.interval import Interval
from healthcheck.reading import UNNAMED, Sample, Trouble
from healthcheck.timestamp import BadTimestamp, Timestamp, parse
from healthcheck.transport import CuttableAdapter, create_tls_context, refuse_negative_chunks

# Bytes; a good response has a few hundred.
MAX_BODY = 64 * 1024
# Characters of an instance's name or version.
MAX_NAME = 64
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",
    "User-Agent": f"timeservice-healthcheck/{__version__}",
}


class Query:
    """The request for the time, and how it is sent; all connections of a check share it."""

    def __init__(self, url: str, *, environment: bool) -> None:
        """environment: use the proxies, .netrc and certificates that the environment names."""
        self._url = url
        self._environment = environment
        self.tls = create_tls_context()

    @functools.cached_property
    def arguments(self) -> dict[str, Any]:
        """Return the fixed arguments of HTTPAdapter.send. Raises RequestException."""
        with requests.Session() as session:
            # A proxy may cache, and its clock may be the one that is measured.
            session.trust_env = self._environment
            session.headers.update(HEADERS)
            request = session.prepare_request(requests.Request("GET", self._url))
            settings = session.merge_environment_settings(request.url, {}, True, None, None)
        return {"request": request, **settings}


class Service:
    """A connection to the service."""

    def __init__(self, query: Query, dialer: Dialer, *, deadline: float) -> None:
        """deadline: on the steady clock, in seconds, for all requests together."""
        self.deadline = deadline
        self._query = query
        self._transport = CuttableAdapter(dialer, query.tls)

    def close(self) -> None:
        """Close the connection; another `sample` opens a new one."""
        self._transport.close()

    def cut(self) -> None:
        """End a `sample` that another thread waits for."""
        self._transport.cut()

    def sample(self) -> Sample:
        """Request the time once, over a new connection if none is open. Raises Trouble."""
        connections = len(self._transport.sockets)
        try:
            with self._request(connections) as response:
                self._validate(response)
                body = self._read(response)
                # The sample ends only after the body: a service may read its clock after the
                # headers.
                arrived = steady_time()
        except FAILURES as failure:
            raise explain(failure) from None
        before, sent = self._transport.departure
        stated, instance, version, zone = parse_answer(body)
        offset = Interval(stated.seconds - arrived, stated.seconds + stated.resolution - sent)
        offset = offset.shift(-before.epoch)
        return Sample(
            instance=instance,
            offset=offset,
            stated=stated,
            sent=sent,
            arrived=arrived,
            before=before,
            after=read_clocks(),
            version=version,
            zone=zone,
            has_connected=len(self._transport.sockets) > connections,
        )

    def _request(self, connections: int) -> requests.Response:
        """Return the response as far as its headers. connections: opened so far.

        A server may close an idle connection while a request is under way to it. That request is
        sent again on a new connection (RFC 9112, section 9.3.1).
        """
        try:
            return self._get()
        except requests.ConnectionError as failure:
            is_kept = 0 < connections == len(self._transport.sockets)
            if not is_kept or isinstance(failure, requests.Timeout):
                raise
        return self._get()

    def _get(self) -> requests.Response:
        # A session is not used: it would read a redirect's endless body into memory.
        return self._transport.send(**self._query.arguments, timeout=self._seconds_left())

    def _seconds_left(self) -> float:
        left = self.deadline - steady_time()
        if left <= 0:
            raise Trouble("timeout", LATE)
        return left

    def _validate(self, response: requests.Response) -> None:
        code = response.status_code
        if response.is_redirect:
            raise Trouble("redirect", f"the response is a redirect ({code}), which is not followed")
        if code != 200:
            refusal = b""
            # The status alone is a reason, if the rest is late or broken.
            with contextlib.suppress(Trouble, *FAILURES):
                refusal = self._read(response)
            raise Trouble("status", f"the response has status {code}{parse_refusal(refusal)}")
        age = response.headers.get("Age", "0")[:20]
        if age.strip("0"):
            raise Trouble("cached", f"the response comes from a cache (Age: {age!a})")

    def _read(self, response: requests.Response) -> bytes:
        refuse_negative_chunks(response.raw)
        body = b""
        for chunk in response.iter_content(4096):
            body += chunk
            self._seconds_left()
            if len(body) > MAX_BODY:
                raise Trouble("body", f"the response is longer than {MAX_BODY // 1024} KiB")
        return body


def parse_answer(body: bytes) -> tuple[Timestamp, str, str, str]:
    """Return the time, instance, version and zone that the JSON states. Raises Trouble."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        start = body[:60].decode(errors="replace")
        raise Trouble("body", f"the response is not JSON: {start!a}") from None
    if not isinstance(content, dict) or not isinstance(content.get("now"), str):
        raise Trouble("body", 'the response has no text field "now"')
    try:
        stated = parse(content["now"])
    except BadTimestamp as error:
        raise Trouble("body", str(error)) from None
    instance, version, zone = (
        _printable_name(content.get(key)) for key in ("instance", "version", "zone")
    )
    return stated, instance, version, zone


def parse_refusal(body: bytes) -> str:
    """Return a colon and the message of the time service's JSON error, or "" if it is another's."""
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    return f": {str(message)[: MAX_NAME * 2]!a}"


def _printable_name(name: object) -> str:
    """Return the name in printable ASCII, and short.

    The name must not break the line, control the terminal, or equal another instance's name.
    """
    text = ascii(str(name or UNNAMED))[1:-1]
    if len(text) <= MAX_NAME:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{text[: MAX_NAME - 1 - len(digest)]}~{digest}"
