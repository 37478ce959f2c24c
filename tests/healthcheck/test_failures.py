"""Which reason and which text a failure of the transport gets."""

from __future__ import annotations

import ssl

import pytest
import requests

from healthcheck.failures import explain


def invalid_certificate(code: int, message: str) -> requests.exceptions.SSLError:
    error = ssl.SSLCertVerificationError("no")
    error.verify_code, error.verify_message = code, message
    return requests.exceptions.SSLError(error)


@pytest.mark.parametrize(
    ("code", "is_dated"), [(8, False), (9, True), (10, True), (11, False), (-1, False), (1, False)]
)
def test_only_the_dates_of_a_certificate_are_judged_by_our_own_clock(
    code: int, is_dated: bool
) -> None:
    trouble = explain(invalid_certificate(code, "why"))
    assert (trouble.reason, trouble.by_own_clock) == ("tls", is_dated)
    assert str(trouble) == "the service's certificate is not valid: why"


def test_a_failure_without_a_code_is_not_judged_by_our_own_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("healthcheck.failures.CERTIFICATE_DATES", (1, -1))
    assert not explain(ConnectionRefusedError()).by_own_clock


def test_a_failure_without_a_known_cause_is_named_by_its_innermost() -> None:
    error = requests.ConnectionError(OSError(BlockingIOError(EOFError())))
    assert str(explain(error)) == "the connection broke (EOFError)"


def test_a_cause_is_found_as_a_reason_an_argument_or_a_context() -> None:
    by_reason = requests.ConnectionError()
    by_reason.reason = ConnectionRefusedError()  # type: ignore[attr-defined]
    by_context = requests.ConnectionError()
    by_context.__context__ = ConnectionRefusedError()
    by_argument = requests.ConnectionError("text", ConnectionRefusedError())
    for error in (by_reason, by_context, by_argument):
        assert explain(error).reason == "refused"


def test_a_circle_of_causes_ends() -> None:
    first, second = requests.ConnectionError(), EOFError()
    first.__context__, second.__context__ = second, first
    assert str(explain(first)) == "the connection broke (EOFError)"
