"""The service writes to stderr a JSON object in each line, whatever strangers send."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from service.app import create_app
from service.log import JSONFormatter, RateLimit, log_fields, request_id
from service.timeserver import Monitor
from tests.support.serving import ROOT, run_service, start
from tests.support.waiting import PATIENCE, wait_until

TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
ROOT_ID = "1-67891233-abcdef012345678912345678"
NASTY = 'a"b\nc\r\x1b[2J\u2028\udcff\x7f'


def record(message: str = "something happened", **fields: object) -> logging.LogRecord:
    entry = logging.LogRecord("name", logging.WARNING, "file.py", 7, message, (), None)
    vars(entry).update(log_fields(**fields))
    return entry


def record_of_error(cause: Exception) -> logging.LogRecord:
    entry = record()
    try:
        raise cause
    except Exception:
        entry.exc_info = sys.exc_info()
    return entry


def test_a_line_is_an_object_with_the_time_first() -> None:
    line = JSONFormatter().format(record(state="wrong", offset=0.7, trouble=None))
    said = json.loads(line)
    assert [*said][:4] == ["time", "level", "process", "message"]
    assert re.fullmatch(TIME, said.pop("time"))
    assert said == {
        "level": "warning",
        "process": os.getpid(),
        "message": "something happened",
        "state": "wrong",
        "offset": 0.7,
        "trouble": None,
    }


def test_what_strangers_send_neither_ends_a_line_nor_moves_a_cursor() -> None:
    for entry in (record(path=NASTY), record(NASTY), record_of_error(ValueError(NASTY))):
        line = JSONFormatter().format(entry)
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line
    assert json.loads(JSONFormatter().format(record(path=NASTY)))["path"] == NASTY


@pytest.mark.parametrize("strange", ["x", "\x00", "\N{GRINNING FACE}", "\ud83d"])
def test_a_line_stays_shorter_than_what_docker_breaks(strange: str) -> None:
    long = strange * 100_000
    everywhere = dict.fromkeys(
        ("path", "reason", "server", "trouble", "method", "request_id"), long
    )
    entry = record_of_error(ValueError(long))
    entry.msg = long
    vars(entry).update(log_fields(**everywhere))
    line = JSONFormatter().format(entry)
    assert len(line.encode()) < 16_000
    said = json.loads(line)
    # The line is not cut more than needed.
    assert len(said["traceback"]) > 600
    assert {said[key][0] for key in (*everywhere, "message")} == {strange}


def test_a_traceback_is_one_field_and_its_end_is_kept() -> None:
    said = json.loads(
        JSONFormatter().format(record_of_error(ValueError("x" * 100_000 + "the cause")))
    )
    assert said["traceback"].endswith("the cause")
    assert JSONFormatter().format(record_of_error(ValueError("it"))).count("\n") == 0


@pytest.mark.parametrize(
    "trace",
    [
        f"Root={ROOT_ID}",
        f"Self=1-67891234-12456789abcdef012345678f;Root={ROOT_ID}",
        f"Root={ROOT_ID};Parent=53995c3f42cd8ad8;Sampled=1",
    ],
)
def test_a_request_is_called_what_the_balancer_calls_it(trace: str) -> None:
    assert request_id(trace) == ROOT_ID


@pytest.mark.parametrize(
    "trace",
    [
        None,
        "",
        ROOT_ID,
        f"Self={ROOT_ID}",
        f"NoRoot={ROOT_ID}",
        "Root=1-2-3",
        f"Root={ROOT_ID.upper()}",
        f"Root={ROOT_ID}0",
        'Root=1-67891233-"\n{}',
        "Root=1-67891233-" + "٣" * 24,
    ],
)
def test_a_request_without_a_name_that_can_be_trusted_gets_one(trace: str | None) -> None:
    first, second = request_id(trace), request_id(trace)
    assert first != second
    assert ROOT_ID not in first
    assert request_id(f"Root={first}") == first


def test_a_flood_is_cut_and_told_and_leaves_room_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limit = RateLimit()
    assert [limit.filter(record()) for _ in range(500)] == [True] * 20 + [False] * 480
    other = record()
    other.lineno = 8
    assert limit.filter(other)
    now += 59.9
    assert not limit.filter(record())
    now += 0.1
    # In the next minute as many pass, of which the first has the number.
    entries = [record() for _ in range(20)]
    assert [limit.filter(entry) for entry in (*entries, record())] == [True] * 20 + [False]
    lines = [json.loads(JSONFormatter().format(entry)) for entry in entries]
    assert [line.get("left_out") for line in lines] == [481] + [None] * 19


@pytest.mark.parametrize("number", [1, 20])
def test_a_minute_in_which_no_line_was_dropped_leaves_no_number(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limit = RateLimit()
    assert all(limit.filter(record()) for _ in range(number))
    now += 60
    after = record()
    assert limit.filter(after)
    assert "left_out" not in json.loads(JSONFormatter().format(after))


def test_the_time_of_a_line_is_that_of_its_record() -> None:
    entry = record()
    entry.created = 1_795_428_672.5
    line = json.loads(JSONFormatter().format(entry))
    assert line["time"] == "2026-11-23T10:11:12.500000Z"


@pytest.mark.parametrize(("length", "is_whole"), [(398, True), (399, False)])
def test_a_field_has_400_characters_with_its_quotes(length: int, is_whole: bool) -> None:
    (text,) = log_fields(reason="x" * length)["fields"].values()
    assert (len(text) == length) is is_whole


def test_a_field_is_cut_by_tenths() -> None:
    (text,) = log_fields(reason="x" * 1000)["fields"].values()
    assert len(text) == 360


@pytest.mark.parametrize(("length", "is_whole"), [(1_998, True), (1_999, False)])
def test_a_message_has_2000_characters_with_its_quotes(length: int, is_whole: bool) -> None:
    line = json.loads(JSONFormatter().format(record("x" * length)))
    assert (len(line["message"]) == length) is is_whole


@pytest.mark.parametrize(("length", "is_whole"), [(7_998, True), (7_999, False)])
def test_a_traceback_has_8000_characters_with_its_quotes(
    monkeypatch: pytest.MonkeyPatch, length: int, is_whole: bool
) -> None:
    monkeypatch.setattr(JSONFormatter, "formatException", lambda *_: "x" * length)
    line = json.loads(JSONFormatter().format(record_of_error(ValueError())))
    assert (len(line["traceback"]) == length) is is_whole


@pytest.fixture
def monitor() -> Monitor:
    return Monitor("server")


def failing_client(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a service whose every answer fails."""
    monkeypatch.setattr(monitor, "status", lambda: 1 / 0)
    return create_app(monitor).test_client()


def test_an_error_of_ours_is_found_in_the_log_by_what_its_answer_says(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = failing_client(monitor, monkeypatch).get(
        "/now?tz=UTC", headers={"X-Amzn-Trace-Id": f"Root={ROOT_ID}"}
    )
    assert (answer.status_code, answer.get_json()["error"]["id"]) == (500, ROOT_ID)
    (line,) = caplog.records
    said = json.loads(JSONFormatter().format(line))
    assert said["traceback"].endswith("ZeroDivisionError: division by zero")
    assert {key: said[key] for key in ("level", "request_id", "method", "path", "status")} == {
        "level": "error",
        "request_id": ROOT_ID,
        "method": "GET",
        "path": "/now",
        "status": 500,
    }


@pytest.mark.parametrize("path", ["/now", "/now?format=xml", "/nowhere"])
def test_what_is_answered_as_it_should_be_leaves_no_line(
    path: str, monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        create_app(monitor).test_client().get(path)
    assert caplog.records == []


@pytest.mark.integration
def test_all_that_gunicorn_says_from_start_to_stop_has_that_form(tmp_path: Path) -> None:
    with run_service(tmp_path / "log", "127.0.0.1:9") as running:
        wait_until(lambda: "no valid response" in running.log.read_text())
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=PATIENCE) == 0
    said = [json.loads(line) for line in running.log.read_text().splitlines()]
    assert {line["level"] for line in said} == {"info", "warning"}
    assert all(re.fullmatch(TIME, line["time"]) for line in said)
    messages = [line["message"] for line in said]
    assert messages[0].startswith("Starting gunicorn")
    assert "the time server gives no valid response" in messages
    assert "Handling signal: term" in messages
    assert len({line["process"] for line in said}) == 2


@pytest.mark.integration
def test_what_keeps_it_from_starting_is_told_in_that_form(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        assert start(file, "no:server").wait(timeout=PATIENCE) > 0
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    (cause,) = (line for line in lines if line["message"] == "Exception in worker process")
    assert "is not a server such as" in cause["traceback"]


def command_that_logs(then: str) -> list[str]:
    """A program that sets gunicorn's logger up as gunicorn does, and then runs that code."""
    setup = (
        "from gunicorn.config import Config\nfrom service.log import Logger\nlog = Logger(Config())"
    )
    return [sys.executable, "-c", f"{setup}\n{then}"]


DIES = (
    "import threading\ndying = threading.Thread(target=lambda: 1 / 0)\ndying.start()\ndying.join()"
)


@pytest.mark.integration
@pytest.mark.parametrize("then", ["1 / 0", DIES], ids=["program", "thread"])
def test_what_nobody_catches_is_a_line_too(then: str) -> None:
    command = command_that_logs(then)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = json.loads(done.stderr)
    assert said["level"] == "critical"
    assert said["traceback"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.integration
def test_a_second_setup_replaces_the_first() -> None:
    """gunicorn sets its logger up again at each SIGHUP."""
    again = "log.cfg.set('loglevel', 'error')\nlog.setup(log.cfg)\nimport logging"
    then = f"{again}\nlogging.warning('dropped')\nlogging.error('written')\nlog.error('too')"
    done = subprocess.run(command_that_logs(then), cwd=ROOT, capture_output=True, text=True)
    assert [json.loads(line)["message"] for line in done.stderr.splitlines()] == ["written", "too"]


@pytest.mark.integration
def test_a_worker_that_is_killed_is_told_and_replaced(tmp_path: Path) -> None:
    with run_service(tmp_path / "log", "127.0.0.1:9") as running:
        booted = re.compile(r"Booting worker with pid: (\d+)")
        wait_until(lambda: booted.findall(running.log.read_text()))
        os.kill(int(booted.findall(running.log.read_text())[0]), signal.SIGKILL)
        wait_until(lambda: len(booted.findall(running.log.read_text())) == 2)
        said = [json.loads(line) for line in running.log.read_text().splitlines()]
    assert [line["level"] for line in said if "SIGKILL" in line["message"]] == ["error"]
