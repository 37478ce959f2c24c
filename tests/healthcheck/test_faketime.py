"""The command under libfaketime: its clocks are far off, run at another rate, or are set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.healthcheck_runs import widest_bound
from tests.support.healthcheck_servers import Request, ntp, time_service, web
from tests.support.tools import find_file
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]

# libfaketime replaces the clocks of its process, the monotonic ones too. In the first mode only the
# wall clock is wrong, like on a machine whose clock was set.
MODES = {"the wall clock": {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}, "all clocks": {}}
# Seconds; far from the services' errors, because a busy machine widens the bound.
LIMIT = ("--limit", "10")
each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=list(MODES))


@pytest.fixture
def servers() -> Iterator[list[str]]:
    with ntp() as first, ntp() as another, ntp() as third:
        yield [word for server in (first, another, third) for word in ("--ntp", server.name)]


def start_command(url: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start the command under libfaketime."""
    library = find_file("libfaketime", "usr/lib/*/faketime/libfaketime.so.1")
    return subprocess.Popen(
        [sys.executable, "-m", "healthcheck", url, "--format", "json", *arguments],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": str(library), "FAKETIME_NO_CACHE": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_command(url: str, *arguments: str, **environment: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the command under libfaketime; return its exit code and its verdicts."""
    with start_command(url, *arguments, **environment) as command:
        out, err = command.communicate(timeout=PATIENCE)
    assert err == ""
    return command.returncode, [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    ("mode", "wrong", "error", "code"),
    [
        ("the wall clock", "-3h", 8, 0),
        ("the wall clock", "+9", -12, 2),
        ("the wall clock", "@2001-09-09 01:46:40", 8, 0),
        ("the wall clock", "+40y", -12, 2),
        ("the wall clock", "+1d x2", 8, 0),
        # At another rate, no right clock would be left to measure with.
        ("all clocks", "-11", 8, 0),
        ("all clocks", "+2y", -12, 2),
    ],
)
def test_a_wrong_clock_changes_nothing(
    servers: list[str], mode: str, wrong: str, error: float, code: int
) -> None:
    with web(time_service(error)) as service:
        status, (verdict,) = run_command(
            service.url, *servers, *LIMIT, FAKETIME=wrong, **MODES[mode]
        )
    assert (status, verdict["reference"]["kind"]) == (code, "ntp"), verdict
    assert abs(verdict["offset"] - error) <= verdict["bound"] + 1e-5


@pytest.mark.parametrize(
    ("step", "error", "code"),
    [("+3h", 8, 0), ("-3h", -12, 2), ("+0.7", -12, 2), ("-0.7", 8, 0)],
)
def test_a_clock_that_is_set_in_the_middle_changes_nothing(
    servers: list[str], tmp_path: Path, step: str, error: float, code: int
) -> None:
    """The clock is set during the first response, and again during the second."""
    file = tmp_path / "clock"
    file.write_text("+0\n")
    steps = iter([step, "-1h"])

    turn = threading.Lock()

    def behave(request: Request) -> None:
        with turn:
            # libfaketime must not read a file that is only begun.
            new = file.with_suffix(".new")
            new.write_text(f"{next(steps, '+0')}\n")
            new.replace(file)
        time_service(error)(request)

    with web(behave) as service:
        status, (verdict,) = run_command(
            service.url,
            *servers,
            *LIMIT,
            FAKETIME_TIMESTAMP_FILE=str(file),
            **MODES["the wall clock"],
        )
    assert status == code, verdict
    assert abs(verdict["offset"] - error) <= verdict["bound"] + 1e-5
    assert verdict["bound"] <= widest_bound(verdict["phases"])


@each_mode
def test_the_deadline_and_the_period_hold(servers: list[str], mode: dict[str, str]) -> None:
    """Python's own waiting uses clocks that libfaketime replaces: it would last for decades."""

    def hang(request: Request) -> None:
        request.server.closing.wait(PATIENCE)

    with web(hang) as service:
        code, verdicts = run_command(
            service.url, *servers, "--deadline", "3", FAKETIME="-3h", **mode
        )
    assert (code, verdicts[0]["reason"]) == (2, "timeout")
    with web(time_service()) as service:
        command = start_command(service.url, *servers, "--every", "0.1", FAKETIME="-3h", **mode)
        with command:
            assert command.stdout
            verdicts = [json.loads(command.stdout.readline()) for _ in range(3)]
            command.terminate()
            # The pipes must stay open until the command has ended.
            command.communicate(timeout=PATIENCE)
    assert (command.returncode, [verdict["status"] for verdict in verdicts]) == (0, ["OK"] * 3)


@each_mode
def test_without_a_reference_nobody_is_blamed(mode: dict[str, str]) -> None:
    with web(time_service()) as service:
        arguments = ("--ntp", "127.0.0.1:9")
        code, (verdict,) = run_command(service.url, *arguments, FAKETIME="-3h", **mode)
    assert (code, verdict["status"], verdict["reference"]["kind"]) == (3, "Unknown", "local")
