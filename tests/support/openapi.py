"""Does an answer hold to docs/openapi.yaml? Asked of schemathesis, for a service in this process or at a URL."""

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
# What may come with any answer: of HTTP, and of who passes it on.
TRANSPORT = {"content-type", "content-length", "server", "date", "connection"}

# The same requests each time, and nothing kept of them. What fails is small as it is.
SETTINGS = settings(
    derandomize=True, database=None, max_examples=40, deadline=None, phases=[Phase.generate]
)
ZONES = sorted(available_timezones() - {"localtime"})
schemathesis.openapi.format("iana-time-zone", strategies.sampled_from(ZONES))


@schemathesis.deserializer("text/plain", "text/html")
def text(_context: Any, response: Response) -> str:
    """Else schemathesis would not look into it."""
    return response.content.decode()


def document() -> Any:
    """As it stands, to be read or spoilt."""
    return yaml.safe_load(DOCUMENT.read_text())


def operations(said: Any, app: Any = None) -> dict[str, Any]:
    """What that document says of each: `GET /now` -> ...; to be asked of the WSGI application, if there is one."""
    schema = schemathesis.openapi.from_dict(said)
    schema.app = app
    found: Any = schema.get_all_operations()
    return {operation.ok().label: operation.ok() for operation in found}


def kinds(operation: Any) -> list[GenerationMode]:
    """Requests that hold to the document, and where something can be wrong with them, such that do not."""
    wrong = [GenerationMode.NEGATIVE] if operation.query else []
    return [GenerationMode.POSITIVE, *wrong]


def only_documented_headers(context: CheckContext, response: Response, case: Case[Any]) -> None:
    """schemathesis would let a Set-Cookie pass."""
    answer = case.operation.responses.find_by_status_code(response.status_code)
    known = {name.lower() for name, _ in answer.headers.items()} if answer else set()
    assert {name.lower() for name in response.headers} - known - TRANSPORT == set()


def conforms(case: Case[Any], response: Any, fails: bool = False) -> None:
    """Raises what schemathesis finds against it: status, type, headers, body; a wrong request that was not refused, a
    right one that was; headers that nobody has described. fails: a documented 500 or 503 is what it shall be."""
    excluded: Any = [schemathesis.checks.not_a_server_error] if fails else []
    case.validate_response(
        response, additional_checks=[only_documented_headers], excluded_checks=excluded
    )


ACCEPTS = strategies.sampled_from(
    ["*/*", "text/*", "text/plain", "application/json", "image/png", ""]
)


def try_all(said: Any, app: Any) -> dict[str, set[int]]:
    """Ask an application for all that a document has, rightly and wrongly; returns the statuses that came."""
    seen: dict[str, set[int]] = {}
    for label, operation in operations(said, app).items():
        for kind in kinds(operation):
            seen[label] = seen.get(label, set()) | tried(operation.as_strategy(kind))
    return seen


def tried(requests: strategies.SearchStrategy[Case[Any]]) -> set[int]:
    seen: set[int] = set()

    @SETTINGS
    @given(requests, ACCEPTS)
    def ask(case: Case[Any], accept: str) -> None:
        answer = case.call(headers={"Accept": accept})
        conforms(case, answer)
        seen.add(answer.status_code)

    ask()
    return seen
