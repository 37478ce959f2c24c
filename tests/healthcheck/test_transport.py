"""What lies between the healthcheck and the service: redirects, proxies, interim answers, TLS."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from healthcheck.__main__ import main
from healthcheck.check import Result, check
from healthcheck.dialer import Dialer
from healthcheck.transport import CuttableAdapter, create_tls_context
from tests.support.healthcheck_runs import exact_reference
from tests.support.healthcheck_servers import Behaviour, Request, ntp, rfc3339, time_service, web
from tests.support.waiting import PATIENCE


def redirect(location: str, code: int) -> Behaviour:
    return lambda request: request.answer(b"", code, Location=location)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    with web(redirect("/now", code)) as server:
        result = check(server.url + "/time", ask_reference=exact_reference)
    assert (result.verdict.status, result.verdict.reason) == ("Failed", "redirect")
    assert f"the response is a redirect ({code}), which is not followed" in result.verdict.detail
    assert len(server.requests) == 1


class Proxy:
    """An HTTP proxy that forwards nothing, and responds itself."""

    def __init__(self, error: float = 0.0) -> None:
        self.paths: list[str] = []
        self.error = error

    def __call__(self, request: Request) -> None:
        self.paths.append(request.path)
        time_service(self.error)(request)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_proxy_of_the_environment_is_used_only_if_asked_for(
    environment: pytest.MonkeyPatch,
) -> None:
    proxy = Proxy(error=5.0)
    with web(proxy) as server, web(time_service()) as service, ntp() as reference:
        environment.setenv("http_proxy", server.url)
        arguments = [service.url, "--ntp", reference.name]
        assert main(arguments) == 0
        assert proxy.paths == []
        assert main([*arguments, "--proxy-from-env"]) == 2
    assert set(proxy.paths) == {service.url + "/now"}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "http:", "gopher://127.0.0.1"]
)
def test_a_proxy_that_does_not_work_is_named(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("http_proxy", url)
    verdict = check(
        "http://service.test/now", ask_reference=exact_reference, environment=True
    ).verdict
    assert (verdict.status, verdict.reason) == ("Failed", "proxy"), verdict.detail


def test_a_netrc_is_used_only_if_asked_for(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    netrc.chmod(0o600)
    environment.setenv("NETRC", str(netrc))
    with web(time_service()) as server:
        check(server.url, ask_reference=exact_reference)
        assert not any("Authorization" in headers for headers in server.requests)
        check(server.url, ask_reference=exact_reference, environment=True)
    assert "Authorization" in server.requests[-1]


def test_a_body_in_chunks_is_read() -> None:
    def behave(request: Request) -> None:
        body = json.dumps({"now": rfc3339(), "instance": "i-1"}).encode()
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)

    with web(behave) as server:
        assert check(server.url, ask_reference=exact_reference).verdict.status == "OK"


@pytest.mark.parametrize(("length", "reason"), [(65_536, "ok"), (65_537, "body")])
def test_headers_of_64_kib_together_are_the_longest(length: int, reason: str) -> None:
    def behave(request: Request) -> None:
        body = json.dumps({"now": rfc3339(), "instance": "i-1"}).encode()
        headers = {"Content-Length": str(len(body)), "A": "a" * 40_000}
        headers["B"] = "b" * (length - len("".join((*headers, *headers.values()))) - 1)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request.wfile.write(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + body)

    with web(behave) as server:
        verdict = check(server.url, ask_reference=exact_reference).verdict
    assert verdict.reason == reason
    assert verdict.reason == "ok" or verdict.detail.endswith("headers are longer than 64 KiB")


def test_a_connection_that_begins_after_the_cut_is_cut() -> None:
    adapter = CuttableAdapter(Dialer(), create_tls_context())
    adapter.cut()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        adapter._keep(ours)
        assert theirs.recv(1) == b""
    adapter.close()


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_interim_responses_are_passed_over(interim: str) -> None:
    def behave(request: Request) -> None:
        hints = b"Link: </style.css>; rel=preload\r\n" * 3
        request.wfile.write(f"HTTP/1.1 {interim}\r\n".encode() + hints + b"\r\n")
        request.answer({"now": rfc3339(), "instance": "i-1"})

    with web(behave) as server:
        assert check(server.url, ask_reference=exact_reference).verdict.status == "OK"


@contextlib.contextmanager
def dripping_handshake() -> Iterator[int]:
    """A server that begins a TLS record and sends a byte of it now and then; its port."""
    closing = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00")
            while not closing.wait(0.02):
                connection.sendall(b"\x02")

    def serve() -> None:
        with contextlib.suppress(OSError):
            while not closing.is_set():
                connection, _ = listening.accept()
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        closing.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_the_deadline_holds_for_a_handshake_and_nothing_is_left_behind() -> None:
    before = set(threading.enumerate())
    with dripping_handshake() as port:
        result = check(f"https://127.0.0.1:{port}", ask_reference=exact_reference, deadline=0.5)
        assert (result.verdict.status, result.verdict.reason) == ("Failed", "timeout")
        for thread in set(threading.enumerate()) - before:
            if "measure" in thread.name:
                thread.join(PATIENCE)
                assert not thread.is_alive()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextlib.contextmanager
def tls_server(
    authority: trustme.CA, behaviour: Behaviour, not_after: datetime | None = None
) -> Iterator[str]:
    """The URL of a server that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=not_after).configure_cert(context)
    with web(behaviour, context) as server:
        yield server.url.replace("http://", "https://")


@pytest.fixture
def check_with_authority(
    environment: pytest.MonkeyPatch, authority: trustme.CA, tmp_path: Path
) -> Callable[..., Result]:
    """A check that trusts the authority."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return functools.partial(check, ask_reference=exact_reference, environment=True)


def test_https_is_asked_if_its_certificate_is_right(
    authority: trustme.CA, check_with_authority: Callable[..., Result]
) -> None:
    with tls_server(authority, time_service()) as url:
        assert check_with_authority(url).verdict.status == "OK"
        verdict = check(url, ask_reference=exact_reference).verdict
    assert (verdict.status, verdict.reason) == ("Failed", "tls")
    assert "self-signed" in verdict.detail or "issuer" in verdict.detail


def test_trusted_certificates_are_read_once_for_all_connections(
    authority: trustme.CA,
    check_with_authority: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[object] = []
    read = ssl.SSLContext.load_verify_locations

    def note(*arguments: Any) -> None:
        reads.append(arguments)
        read(*arguments)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", note)
    with tls_server(authority, time_service()) as url:
        result = check_with_authority(url, deadline=PATIENCE)
    assert result.coverage.connections > 1
    # Each connection is kept for a second request.
    assert len(result.reading.samples) == 2 * result.coverage.connections
    assert len(reads) == 1


def test_an_expired_certificate_fails_and_is_judged_by_our_own_clock(
    authority: trustme.CA, check_with_authority: Callable[..., Result]
) -> None:
    with tls_server(authority, time_service(), not_after=datetime(2020, 1, 1, tzinfo=UTC)) as url:
        result = check_with_authority(url)
    assert (result.verdict.status, result.verdict.reason) == ("Failed", "tls")
    assert "expired" in result.verdict.detail
    assert result.reading.trouble
    assert result.reading.trouble.by_own_clock


def test_an_answer_that_was_there_before_the_question_is_not_one(
    authority: trustme.CA, check_with_authority: Callable[..., Result]
) -> None:
    """The second response is in the same TLS record as the first, so the socket does not show
    it."""

    def answer(size: int) -> bytes:
        body = json.dumps({"now": rfc3339(), "instance": "i-1"}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
        body += b" " * (size - len(head % size) - len(body))
        return head % len(body) + body

    def behave(request: Request) -> None:
        # http.client reads a buffer of this size at once. So the second response stays in TLS's
        # buffer.
        request.wfile.write(answer(io.DEFAULT_BUFFER_SIZE) + answer(200))

    with tls_server(authority, behave) as url:
        result = check_with_authority(url)
    assert result.verdict.status == "OK", result.verdict.detail
    # No connection is kept that already holds a response.
    assert all(sample.has_connected for sample in result.reading.samples)
