"""The tests of docs/openapi.yaml notice a service that departs from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from werkzeug.wrappers import Response

import sntp
from service.app import HEADERS, create_app
from service.timeserver import Monitor
from tests.support.openapi import document, send_all_cases

pytestmark = pytest.mark.integration

Misdeed = Callable[[Response], object]


def service(misdeed: Misdeed = lambda _answer: None) -> Any:
    """Return the application with a change of each response."""
    monitor = Monitor("server", ask=lambda _host, _port: sntp.Answer(0.0, 0.001))
    monitor.poll()
    app = create_app(monitor)

    def outer(environ: Any, start_response: Any) -> Iterable[bytes]:
        answer = Response.from_app(app, environ)
        misdeed(answer)
        return answer(environ, start_response)

    return outer


def body(change: Callable[[dict[str, Any]], object]) -> Misdeed:
    """Change the JSON object of a response."""

    def misdeed(answer: Response) -> None:
        if answer.mimetype == "application/json" and answer.data:
            said = json.loads(answer.data)
            change(said)
            answer.data = json.dumps(said)

    return misdeed


def text(words: str) -> Misdeed:
    """Replace the body of a response in plain text."""

    def misdeed(answer: Response) -> None:
        if answer.mimetype == "text/plain" and answer.data:
            answer.data = words

    return misdeed


def replace_header(name: str, value: str) -> Misdeed:
    """Replace the value of a header, if the response has it."""
    return lambda answer: answer.headers.update({name: value} if name in answer.headers else {})


def remove_header(name: str) -> Misdeed:
    return lambda answer: answer.headers.remove(name)


def accept_everything(answer: Response) -> None:
    """Replace each refusal by the document's own example of the time."""
    if answer.status_code == 400:
        content = document()["components"]["responses"]["Now"]["content"]
        example = content["application/json"]["examples"]["utc"]["value"]
        answer.status_code = 200
        answer.data = json.dumps(example)


def status(number: int) -> Misdeed:
    return lambda answer: setattr(answer, "status_code", number)


VIOLATES = "Response violates schema"
HEADER = "Response header does not conform"
MISDEEDS: dict[str, tuple[Misdeed, str]] = {
    "a field too many": (body(lambda said: said.update(extra=1)), VIOLATES),
    "one in the clock": (body(lambda said: said.get("clock", {}).update(extra=1)), VIOLATES),
    "one in an error": (body(lambda said: said.get("error", {}).update(extra=1)), VIOLATES),
    "a field is missing": (body(lambda said: said.pop("epoch", None)), VIOLATES),
    "an unknown state": (body(lambda said: said.get("clock", {}).update(state="odd")), VIOLATES),
    "another form of time": (
        body(lambda said: "now" in said and said.update(now="noon")),
        VIOLATES,
    ),
    "a number as text": (body(lambda said: "now" in said and said.update(epoch="1")), VIOLATES),
    "another form of text": (text("about noon\n"), VIOLATES),
    "text in two lines": (text("1795428672.000001\n\n"), VIOLATES),
    **{f"no {name}": (remove_header(name), "Missing required") for name in [*HEADERS, "Allow"]},
    "an Allow without HEAD": (replace_header("Allow", "GET, OPTIONS"), HEADER),
    "caches": (replace_header("Cache-Control", "max-age=60"), HEADER),
    "a cookie": (lambda answer: answer.set_cookie("a"), "only_documented_headers"),
    "another type": (
        replace_header("Content-Type", "application/xml"),
        "Undocumented Content-Type",
    ),
    "a failure": (status(500), "Server error"),
    "a status that is not documented": (status(203), "Undocumented status code"),
    "nothing is refused": (accept_everything, "Schema-violating request accepted"),
    "everything is refused": (status(400), "Schema-valid request rejected"),
}


def test_a_service_that_does_what_it_shall_is_not_caught() -> None:
    send_all_cases(document(), service())


@pytest.mark.parametrize(("misdeed", "said"), MISDEEDS.values(), ids=MISDEEDS.keys())
def test_a_misdeed_is_caught(misdeed: Misdeed, said: str) -> None:
    with pytest.raises(BaseExceptionGroup, match=said):
        send_all_cases(document(), service(misdeed))


@pytest.mark.parametrize("status", ["200", "400"])
def test_a_document_that_lacks_a_status_is_caught(status: str) -> None:
    lacks = document()
    del lacks["paths"]["/now"]["get"]["responses"][status]
    with pytest.raises(BaseExceptionGroup, match="Undocumented status code"):
        send_all_cases(lacks, service())
