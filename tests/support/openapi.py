"""Whether a response follows docs/openapi.yaml, by schemathesis: of an application or at a URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import schemathesis
import yaml
from hypothesis import Phase, given, settings, strategies
from schemathesis import Case, CheckContext, Response
from schemathesis.generation import GenerationMode

DOCUMENT = Path(__file__).parents[2] / "docs/openapi.yaml"
# Headers that HTTP and proxies may add to any response.
TRANSPORT = {"content-type", "content-length", "server", "date", "connection"}

# Send the same requests each time, and store nothing.
SETTINGS = settings(
    derandomize=True, database=None, max_examples=40, deadline=None, phases=[Phase.generate]
)
ZONES = sorted(available_timezones() - {"localtime"})
schemathesis.openapi.format("iana-time-zone", strategies.sampled_from(ZONES))


@schemathesis.deserializer("text/plain", "text/html")
def text(_context: Any, response: Response) -> str:
    """Let schemathesis read the body."""
    return response.content.decode()


def document() -> Any:
    """Return the document, for the caller to read or change."""
    return yaml.safe_load(DOCUMENT.read_text())


def operations(content: Any, app: Any = None) -> dict[str, Any]:
    """Return each operation of the document by its name, such as `GET /now`.

    app: the WSGI application that gets the requests, if there is one.
    """
    schema = schemathesis.openapi.from_dict(content)
    schema.app = app
    found: Any = schema.get_all_operations()
    return {operation.ok().label: operation.ok() for operation in found}


def kinds(operation: Any) -> list[GenerationMode]:
    """Return the kinds of requests: correct ones, and wrong ones if an operation has parameters."""
    wrong = [GenerationMode.NEGATIVE] if operation.query else []
    return [GenerationMode.POSITIVE, *wrong]


def only_documented_headers(context: CheckContext, response: Response, case: Case[Any]) -> None:
    """Refuse a header that the document does not have, which schemathesis allows."""
    answer = case.operation.responses.find_by_status_code(response.status_code)
    known = {name.lower() for name, _ in answer.headers.items()} if answer else set()
    assert {name.lower() for name in response.headers} - known - TRANSPORT == set()


def check_response(case: Case[Any], response: Any, fails: bool = False) -> None:
    """Raise what schemathesis finds against the response.

    That is: status, type, headers, body, and whether a wrong request was refused.
    fails: a documented 500 or 503 is right.
    """
    excluded: Any = [schemathesis.checks.not_a_server_error] if fails else []
    case.validate_response(
        response, additional_checks=[only_documented_headers], excluded_checks=excluded
    )


ACCEPTS = strategies.sampled_from(
    ["*/*", "text/*", "text/plain", "application/json", "image/png", ""]
)


def send_all_cases(content: Any, app: Any) -> dict[str, set[int]]:
    """Send correct and wrong requests of each operation; return the statuses by operation."""
    seen: dict[str, set[int]] = {}
    for label, operation in operations(content, app).items():
        for kind in kinds(operation):
            seen[label] = seen.get(label, set()) | send_cases(operation.as_strategy(kind))
    return seen


def send_cases(requests: strategies.SearchStrategy[Case[Any]]) -> set[int]:
    seen: set[int] = set()

    @SETTINGS
    @given(requests, ACCEPTS)
    def ask(case: Case[Any], accept: str) -> None:
        answer = case.call(headers={"Accept": accept})
        check_response(case, answer)
        seen.add(answer.status_code)

    ask()
    return seen
