"""docs/openapi.yaml describes what the service does, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given, settings, strategies
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

import sntp
from service.app import create_app
from service.clock import Moment
from service.timeserver import Monitor
from tests.support.healthcheck_servers import ntp
from tests.support.openapi import SETTINGS, check_response, document, operations, send_all_cases
from tests.support.serving import Running, run_service
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.integration

NANOSECONDS = 1_795_428_672_000_001_999


def monitor() -> Monitor:
    """Return a monitor that agreed with its server 8.314 s ago, as the document's example did."""
    now = [Moment(0.0, 0.0)]
    made = Monitor(
        "169.254.169.123",
        ask=lambda _host, _port: sntp.Answer(0.000028, 0.000075),
        now=lambda: now[-1],
    )
    made.poll()
    now.append(Moment(8.314, 8.314))
    return made


def starting_monitor() -> Monitor:
    """Return a monitor that has not asked its server while the test lasts."""
    return Monitor("169.254.169.123", now=lambda: Moment(0.0, 0.0))


@pytest.fixture(scope="module")
def app() -> Any:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TIMESERVICE_INSTANCE", "i-0123456789abcdef0")
        monkeypatch.setenv("TIMESERVICE_ZONE", "eu-central-1a")
        monkeypatch.setenv("TIMESERVICE_VERSION", "0a1b2c3d4e5f")
        return create_app(monitor())


def test_the_document_is_openapi() -> None:
    validate(document())


def examples(said: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, value and schema of each example of an answer, with what the schema refers to."""
    for name, answer in said["components"]["responses"].items():
        for kind, content in answer.get("content", {}).items():
            for example in content.get("examples", {}).values():
                schema = {**content["schema"], "components": said["components"]}
                yield f"{name} {kind}", example["value"], schema


EXAMPLES = list(examples(document()))


@pytest.mark.parametrize(
    ("value", "schema"),
    [example[1:] for example in EXAMPLES],
    ids=[example[0] for example in EXAMPLES],
)
def test_an_example_is_what_its_schema_says(value: Any, schema: Any) -> None:
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)


def example(answer: str, kind: str, name: str) -> Any:
    return document()["components"]["responses"][answer]["content"][kind]["examples"][name]["value"]


def test_the_examples_are_real(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: NANOSECONDS)
    client = app.test_client()
    assert client.get("/now").get_json() == example("Now", "application/json", "utc")
    for name, query in {
        "text": "format=text",
        "zone": "format=text&tz=Europe/Berlin",
        "epoch": "format=epoch",
    }.items():
        assert client.get(f"/now?{query}").text == example("Now", "text/plain", name)
    assert client.get("/health").get_json() == example("Healthy", "application/json", "healthy")
    refused = client.get("/now?tz=Mars/Olympus").get_json()
    assert refused == example("BadRequest", "application/json", "tz")
    young = create_app(starting_monitor()).test_client().get("/health")
    assert young.get_json() == example("Unhealthy", "application/json", "starting")
    assert young.status_code == 503


def test_the_service_does_what_the_document_says(app: Any) -> None:
    seen = send_all_cases(document(), app)
    assert seen.pop("GET /now") == seen.pop("HEAD /now") == {200, 400}
    assert [*seen.values()] == [{200}] * 7


@pytest.mark.parametrize("path", ["/now", "/", "/health"])
def test_faults_are_as_documented(path: str) -> None:
    """The service has a fault. The response to HEAD shows only its status."""
    broken = Monitor("169.254.169.123")
    broken.status = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    asked = operations(document(), create_app(broken))
    for method in ("GET", "HEAD"):
        case = asked[f"{method} {path}"].Case()
        answer = case.call()
        assert answer.status_code == 500
        check_response(case, answer, fails=True)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unhealthy_host_is_as_documented(method: str) -> None:
    asked = operations(document(), create_app(starting_monitor()))
    case = asked[f"{method} /health"].Case()
    answer = case.call()
    assert answer.status_code == 503
    check_response(case, answer, fails=True)


@pytest.mark.parametrize("path", ["/now", "/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_host_with_a_false_clock_is_as_documented(path: str, method: str) -> None:
    false = Monitor(
        "169.254.169.123",
        ask=lambda _host, _port: sntp.Answer(0.6, 0.001),
        now=lambda: Moment(0.0, 0.0),
    )
    false.poll()
    case = operations(document(), create_app(false))[f"{method} {path}"].Case()
    answer = case.call()
    assert answer.status_code == 503
    check_response(case, answer, fails=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("service") / "log"
    with ntp() as server, run_service(log, server.name) as running:
        yield running


def test_what_gunicorn_refuses_is_as_documented(running: Running) -> None:
    """gunicorn itself refuses what is too long, or is no HTTP that the service accepts."""
    asked = operations(document())
    for path in ("/now", "/", "/health"):
        case = asked[f"GET {path}"].Case()
        for status, query, headers in (
            (400, "", {"Transfer-Encoding": "cow"}),
            (414, "x" * 5_000, {}),
            (417, "", {"Expect": "wonders"}),
            (431, "", {"X": "x" * 9_000}),
        ):
            answer = requests.get(f"{running.url}{path}?{query}", headers=headers, timeout=PATIENCE)
            assert answer.status_code == status
            check_response(case, answer)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/now", 405)]
)
def test_other_paths_and_methods_are_refused_as_the_text_says(
    method: str, path: str, status: int, app: Any
) -> None:
    answer = app.test_client().open(path, method=method)
    assert answer.status_code == status
    said = document()["components"]
    refusal = {**said["schemas"]["Refusal"], "components": said}
    Draft202012Validator(refusal).validate(answer.get_json())


def quality(kind: str, accept: dict[str, float]) -> tuple[float, int]:
    """Return a media type's weight, and the precision of the deciding name (RFC 9110, 12.5.1)."""
    names = [kind, kind.split("/")[0] + "/*", "*/*"]
    known = ((accept[name], -at) for at, name in enumerate(names) if name in accept)
    return next(known, (0.0, -3))


RANGES = ["*/*", "text/*", "text/plain", "application/*", "application/json", "image/png"]
QUALITIES = strategies.sampled_from([0.0, 0.001, 0.3, 0.5, 1.0])


def test_accept_chooses_as_the_text_says(app: Any) -> None:
    client = app.test_client()

    @settings(SETTINGS, max_examples=200)
    @given(strategies.dictionaries(strategies.sampled_from(RANGES), QUALITIES))
    def choose(accept: dict[str, float]) -> None:
        text, structured = (quality(kind, accept) for kind in ("text/plain", "application/json"))
        wins = text[0] > 0 and text > structured
        header = ", ".join(f"{kind};q={quality}" for kind, quality in accept.items())
        answer = client.get("/now", headers={"Accept": header})
        assert answer.mimetype == ("text/plain" if wins else "application/json")

    choose()
