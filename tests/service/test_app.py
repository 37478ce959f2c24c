"""What /now, /health and / promise to their callers."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

import sntp
from service.app import HEADERS, PAGE_HEADERS, create_app
from service.clock import Moment, State
from service.timeserver import Monitor, Status
from service.timestamp import epoch, rfc3339
from service.views import handle_http_error

ZULU = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
NANOSECONDS = 1_795_428_672_000_001_999  # 2026-11-23T10:11:12.000001Z, and 999 ns


class TimeServer:
    """The responses of the time server."""

    offset = 0.0


@pytest.fixture
def time_server() -> TimeServer:
    return TimeServer()


@pytest.fixture
def monitor(time_server: TimeServer) -> Monitor:
    """Return a monitor that has sent no request yet."""
    return Monitor(
        "169.254.169.123",
        ask=lambda _host, _port: sntp.Answer(time_server.offset, 0.001),
        now=lambda: Moment(0.0, 0.0),
    )


@pytest.fixture
def client(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """Return a client of a service whose clock is right."""
    monkeypatch.setenv("TIMESERVICE_INSTANCE", "i-0123456789abcdef0")
    monkeypatch.setenv("TIMESERVICE_ZONE", "eu-central-1a")
    monkeypatch.setenv("TIMESERVICE_VERSION", "0a1b2c3d4e5f")
    monitor.poll()
    return create_app(monitor).test_client()


@pytest.fixture
def fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: NANOSECONDS)


def test_now_tells_the_time_between_request_and_answer(client: FlaskClient) -> None:
    before = time.time_ns() // 1000
    said = client.get("/now").get_json()
    after = time.time_ns() // 1000
    stated = (datetime.fromisoformat(said["now"]) - datetime.fromtimestamp(0, UTC)) // timedelta(
        microseconds=1
    )
    assert before <= stated <= after


@pytest.mark.usefixtures("fixed_clock")
def test_now_is_json_by_default(client: FlaskClient) -> None:
    answer = client.get("/now")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    said = answer.get_json()
    clock = said.pop("clock")
    assert said == {
        "now": "2026-11-23T10:11:12.000001Z",
        "epoch": 1795428672.000001,
        "tz": "UTC",
        "instance": "i-0123456789abcdef0",
        "zone": "eu-central-1a",
        "version": "0a1b2c3d4e5f",
    }
    assert clock.keys() == {
        "state",
        "offset",
        "bound",
        "age",
        "server",
        "server_fault",
        "trouble",
    }
    assert (clock["state"], clock["server"]) == ("synchronised", "169.254.169.123")


@pytest.mark.usefixtures("fixed_clock")
def test_epoch_always_has_six_digits(client: FlaskClient) -> None:
    assert '"epoch": 1795428672.000001,' in client.get("/now").text


def test_the_clock_is_read_after_everything_else(
    client: FlaskClient, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that take time must come before, so that the response is not old."""
    order: list[str] = []
    status = monitor.status

    def seen_status() -> Status:
        order.append("status")
        return status()

    def seen_clock() -> int:
        order.append("clock")
        return NANOSECONDS

    monkeypatch.setattr(monitor, "status", seen_status)
    monkeypatch.setattr(time, "time_ns", seen_clock)
    client.get("/now?tz=Europe/Berlin")
    assert order == ["status", "clock"]


@pytest.mark.parametrize(
    ("nanoseconds", "written", "seconds"),
    [
        (0, "1970-01-01T00:00:00.000000Z", "0.000000"),
        (999, "1970-01-01T00:00:00.000000Z", "0.000000"),
        (1_795_428_671_999_999_999, "2026-11-23T10:11:11.999999Z", "1795428671.999999"),
        (1_795_428_672_000_000_000, "2026-11-23T10:11:12.000000Z", "1795428672.000000"),
        (1_795_428_672_100_000_000, "2026-11-23T10:11:12.100000Z", "1795428672.100000"),
    ],
)
def test_digits_are_cut_and_never_rounded(nanoseconds: int, written: str, seconds: str) -> None:
    assert (rfc3339(nanoseconds), epoch(nanoseconds)) == (written, seconds)


ACCEPTED = {
    "": "application/json",
    "*/*": "application/json",
    "application/*": "application/json",
    "text/plain": "text/plain; charset=utf-8",
    "text/*": "text/plain; charset=utf-8",
    "text/plain;q=0.5, application/json": "application/json",
    "text/plain, application/json;q=0.5": "text/plain; charset=utf-8",
    "text/plain, application/json": "application/json",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "application/json",
    "image/png": "application/json",
    "text/plain; charset=utf-8": "text/plain; charset=utf-8",
    "application/json;charset=utf-8, text/plain;q=0.1": "application/json",
    "application/json;q=0": "application/json",
    ";;q=x,,": "application/json",
}


@pytest.mark.parametrize(("accept", "content_type"), ACCEPTED.items())
def test_accept_chooses_and_json_is_what_remains(
    accept: str, content_type: str, client: FlaskClient
) -> None:
    answer = client.get("/now", headers={"Accept": accept})
    assert (answer.status_code, answer.content_type) == (200, content_type)


@pytest.mark.usefixtures("fixed_clock")
@pytest.mark.parametrize(
    ("form", "content_type", "start"),
    [
        ("json", "application/json", '{"now": "2026-11-23T10:11:12.000001Z", '),
        ("text", "text/plain; charset=utf-8", "2026-11-23T10:11:12.000001Z\n"),
        ("epoch", "text/plain; charset=utf-8", "1795428672.000001\n"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_the_format_parameter_wins_over_accept(
    form: str, content_type: str, start: str, accept: str, client: FlaskClient
) -> None:
    answer = client.get(f"/now?format={form}", headers={"Accept": accept})
    assert answer.content_type == content_type
    assert answer.text.startswith(start)


@pytest.mark.usefixtures("fixed_clock")
@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("UTC", "2026-11-23T10:11:12.000001Z"),
        ("Europe/Berlin", "2026-11-23T11:11:12.000001+01:00"),
        ("Europe/London", "2026-11-23T10:11:12.000001+00:00"),
        ("Etc/UTC", "2026-11-23T10:11:12.000001+00:00"),
        ("Asia/Kathmandu", "2026-11-23T15:56:12.000001+05:45"),
        ("America/St_Johns", "2026-11-23T06:41:12.000001-03:30"),
    ],
)
def test_a_zone_shows_its_offset(zone: str, written: str, client: FlaskClient) -> None:
    said = client.get("/now", query_string={"tz": zone}).get_json()
    assert (said["now"], said["tz"], said["epoch"]) == (written, zone, 1795428672.000001)
    assert client.get("/now", query_string={"tz": zone, "format": "text"}).text == written + "\n"


def test_an_offset_follows_daylight_saving_time() -> None:
    """The same hour of the clock, before and after it is set back."""
    berlin = ZoneInfo("Europe/Berlin")
    last_of_summer = 1_792_889_999_000_000_000
    assert rfc3339(last_of_summer, berlin) == "2026-10-25T02:59:59.000000+02:00"
    assert rfc3339(last_of_summer + 10**9, berlin) == "2026-10-25T02:00:00.000000+01:00"


BAD_QUERIES = [
    *("format=", "format=xml", "format=JSON", "format=json&format=text", "format=json&format=json"),
    *("tz=", "tz=Mars/Olympus", "tz=europe/berlin", "tz=Europe", "tz=UTC&tz=Europe/Berlin"),
    *("tz=../../../../etc/passwd", "tz=/etc/localtime", "tz=/usr/share/zoneinfo/UTC"),
    *("tz=Europe/../Europe/Berlin", "tz=Europe/Berlin%00", "tz=%00", "tz=localtime", "tz=%2B01:00"),
    *("tz=%FF%FE", "tz=Europe%5CBerlin", "tz=%20UTC", "tz=" + "A" * 3000),
]


@pytest.mark.parametrize("query", BAD_QUERIES, ids=lambda query: query[:40])
def test_a_bad_parameter_is_refused(query: str, client: FlaskClient) -> None:
    answer = client.get(f"/now?{query}")
    check_refusal(answer, 400)
    assert query.split("=")[0] in answer.get_json()["error"]["message"]


def test_other_parameters_are_ignored(client: FlaskClient) -> None:
    assert client.get("/now?_=1795428672&format=text&_=2").status_code == 200


def check_headers(answer: Any, path: str = "") -> None:
    """Expect the headers that all responses have; the page has a policy of its own."""
    expected = PAGE_HEADERS if path == "/" else HEADERS
    assert {name: answer.headers.get(name) for name in expected} == expected


def check_refusal(answer: Any, status: int, path: str = "") -> None:
    """Expect an error of that status, in the form that all errors have."""
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    error = answer.get_json()["error"]
    assert error.keys() == {"status", "message"} | ({"id"} if status == 500 else set())
    assert error["status"] == status
    assert error["message"]
    check_headers(answer, path)


@pytest.mark.parametrize("path", ["/now", "/now?format=text", "/health", "/"])
def test_every_answer_is_fresh_and_open_and_harmless(path: str, client: FlaskClient) -> None:
    answer = client.get(path)
    check_headers(answer, path)
    assert HEADERS["Cache-Control"] == "no-store"
    assert HEADERS["Vary"] == "Accept"
    assert HEADERS["Access-Control-Allow-Origin"] == "*"
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert HEADERS["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/now", "/now?format=epoch", "/health", "/"])
def test_head_is_get_without_the_body(path: str, client: FlaskClient) -> None:
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content_type, head.data) == (200, got.content_type, b"")
    check_headers(head, path)


@pytest.mark.parametrize("path", ["/now", "/health", "/"])
def test_options_says_what_is_allowed(path: str, client: FlaskClient) -> None:
    answer = client.options(path)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.allow.as_set() == {"get", "head", "options"}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/now", "/health", "/"])
def test_another_method_is_refused_with_those_that_are_not(
    path: str, method: str, client: FlaskClient
) -> None:
    answer = client.open(path, method=method)
    check_refusal(answer, 405, path)
    assert answer.allow.as_set() == {"get", "head", "options"}


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/now/",
        "/now//",
        "//evil.example/now",
        "/static/x",
        "/NOW",
        "/now/../etc/passwd",
    ],
)
def test_any_other_path_is_not_found_and_leads_nowhere(path: str, client: FlaskClient) -> None:
    # Flask's test client is not used here: it would take //evil.example for a host.
    environment = {"PATH_INFO": path, "HTTP_HOST": "evil.example"}
    answer = client.get("/", environ_overrides=environment)
    check_refusal(answer, 404)
    assert "Location" not in answer.headers


def test_an_empty_path_is_the_page_and_no_redirect_to_a_host_that_the_client_names(
    client: FlaskClient,
) -> None:
    answer = client.get("/", environ_overrides={"PATH_INFO": "", "HTTP_HOST": "evil.example"})
    assert (answer.status_code, answer.mimetype) == (200, "text/html")


def test_an_error_of_ours_says_nothing_of_its_cause(
    client: FlaskClient, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "status", lambda: 1 / 0)
    answer = client.get("/now")
    check_refusal(answer, 500)
    assert "division" not in answer.text


def test_a_refusal_without_a_status_is_our_fault() -> None:
    assert handle_http_error(HTTPException("what")).status_code == 500


def test_health_is_200_while_the_clock_is_right(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    said = answer.get_json()
    assert said["healthy"] is True
    assert said["clock"]["state"] == "synchronised"


def test_health_is_503_before_anything_is_known(monitor: Monitor) -> None:
    answer = create_app(monitor).test_client().get("/health")
    assert answer.status_code == 503
    assert answer.get_json()["clock"] == {
        "state": "starting",
        "offset": None,
        "bound": None,
        "age": None,
        "server": "169.254.169.123",
        "server_fault": 0.0,
        "trouble": None,
    }


def test_health_is_503_and_says_why_when_the_clock_is_wrong(
    monitor: Monitor, time_server: TimeServer
) -> None:
    time_server.offset = 0.6
    monitor.poll()
    client = create_app(monitor).test_client()
    answer = client.get("/health")
    assert answer.status_code == 503
    # The first 200 bytes count: a host that does not start reports no more of the body.
    assert "the clock is more than 0.5 s off" in answer.text[:200]
    assert answer.get_json()["clock"]["state"] == "wrong"
    assert answer.get_json()["clock"]["offset"] == pytest.approx(0.6, abs=0.01)


WRONG = "i-0123456789abcdef0 returns no time: the clock is more than 0.5 s off"


@pytest.fixture
def false_clock(time_server: TimeServer) -> None:
    """The service's clock is wrong when it starts."""
    time_server.offset = 0.6


@pytest.mark.usefixtures("false_clock")
@pytest.mark.parametrize("query", ["", "?format=text", "?format=epoch", "?tz=Europe/Berlin"])
def test_a_host_that_knows_its_time_to_be_false_tells_none(
    query: str, client: FlaskClient, monitor: Monitor, time_server: TimeServer
) -> None:
    answer = client.get(f"/now{query}")
    check_refusal(answer, 503)
    assert answer.get_json()["error"]["message"] == WRONG
    assert client.head(f"/now{query}").status_code == 503
    time_server.offset = 0.0
    monitor.poll()
    assert client.get(f"/now{query}").status_code == 200


@pytest.mark.usefixtures("false_clock")
def test_its_page_shows_why_and_no_time(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.content_type) == (503, "text/html; charset=utf-8")
    check_headers(answer, "/")
    assert "The clock is more than 0.5 s off" in answer.text
    text = answer.text[: answer.text.index("<script")]
    assert '<time id="now"><span id="clock">--:--:--<' in text
    assert not re.search(r"\d\d:\d\d|20\d\d", re.sub(r"<(style|link)\b.*?>", "", text))
    assert client.head("/").status_code == 503


@pytest.mark.parametrize("state", get_args(State))
def test_a_host_tells_the_time_in_each_state_but_a_false_one(
    state: State, client: FlaskClient, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = monitor.status().clock
    monkeypatch.setattr(monitor, "status", lambda: Status(state, clock))
    expected = 503 if state == "wrong" else 200
    assert {client.get(path).status_code for path in ("/now", "/")} == {expected}


def test_a_clock_that_is_set_wrong_is_noticed_before_the_next_measurement(
    time_server: TimeServer,
) -> None:
    moments = [Moment(0.0, 0.0)]
    monitor = Monitor(
        "169.254.169.123",
        ask=lambda _host, _port: sntp.Answer(time_server.offset, 0.001),
        now=lambda: moments[-1],
    )
    monitor.poll()
    client = create_app(monitor).test_client()
    assert client.get("/now").status_code == 200
    moments.append(Moment(3.001, 0.001))
    assert client.get("/now").status_code == 503


def test_health_is_200_when_the_server_jumps(
    client: FlaskClient, monitor: Monitor, time_server: TimeServer
) -> None:
    time_server.offset = 3.0
    monitor.poll()
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.get_json()["clock"]["state"] == "server_disagrees"


def test_the_page_tells_the_time_and_the_host_without_scripts(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert re.search(r'<time id="now" datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ">', answer.text)
    assert "i-0123456789abcdef0" in answer.text
    assert "eu-central-1a" in answer.text


def test_the_page_takes_what_it_shows_for_text(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMESERVICE_INSTANCE", "<b>&")
    assert "&lt;b&gt;&amp;" in create_app(monitor).test_client().get("/").text


@pytest.mark.parametrize("value", [None, ""])
def test_without_settings_the_service_says_so(
    value: str | None, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INSTANCE", "ZONE", "VERSION"):
        if value is None:
            monkeypatch.delenv(f"TIMESERVICE_{name}", raising=False)
        else:
            monkeypatch.setenv(f"TIMESERVICE_{name}", value)
    said = create_app(monitor).test_client().get("/now").get_json()
    assert (said["instance"], said["zone"], said["version"]) == ("local", "local", "development")
