"""The bench of accuracy: its paths delay and lose packets as they state, and it notices an
error."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
import requests

import sntp
from bench import accuracy
from bench.accuracy import NtpHandler, Path, Trial, WebHandler, judge_verdict, run_trial, serve
from healthcheck.check import check as real_check
from healthcheck.interval import Interval
from healthcheck.verdict import Instance, Verdict

SEED = "3339"
UNEVEN = Path("uneven", 0.010, 0.040)


def chance() -> random.Random:
    return random.Random(SEED)


def ask(address: str, timeout: float = 5.0) -> sntp.Answer:
    host, port = address.split(":")
    return sntp.ask(host, int(port), timeout=timeout)


@pytest.mark.parametrize("shift", [0.0, 5.0, -3600.0])
def test_an_ntp_server_is_as_far_away_and_as_wrong_as_stated(shift: float) -> None:
    with serve(NtpHandler, UNEVEN, shift, chance()) as address:
        sent = time.monotonic()
        response = ask(address)
        took = time.monotonic() - sent
    assert took >= UNEVEN.out + UNEVEN.back
    assert abs(response.offset - shift) <= response.bound
    # The midpoint is off by half of the difference between both ways, and by half of any delay
    # here.
    assert abs(response.offset - shift) == pytest.approx(0.015, abs=took / 2 - 0.025 + 0.001)


def test_a_lost_packet_gets_no_response() -> None:
    dead = serve(NtpHandler, Path("dead", 0, 0, loss=1.0), 0.0, chance())
    with dead as address, pytest.raises(sntp.NtpError):
        ask(address, timeout=0.2)


def test_a_service_is_as_far_away_and_as_wrong_as_stated() -> None:
    with serve(WebHandler, UNEVEN, 3600.0, chance()) as address, requests.Session() as session:
        for round_trips in (2, 1):  # a new connection costs one more
            # In this order, an interruption between the two prolongs what the request took.
            began = time.monotonic()
            sent = time.time()
            response = session.get(f"http://{address}/now")
            took = time.monotonic() - began
            assert took >= round_trips * 0.050
            stated = datetime.fromisoformat(response.json()["now"]).timestamp()
            way_there = (round_trips - 1) * 0.050 + 0.010
            assert way_there <= stated - 3600.0 - sent <= took - 0.040 + 0.001


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record how long a server would sleep."""
    recorded: list[float] = []
    monkeypatch.setattr("bench.accuracy.time.sleep", recorded.append)
    return recorded


def make_handler(path: Path) -> NtpHandler:
    """Return a handler that serves nothing, and can wait."""
    handler = NtpHandler.__new__(NtpHandler)
    handler.server = SimpleNamespace(path=path, chance=chance())
    return handler


def test_jitter_is_added_to_the_delay(delays: list[float]) -> None:
    handler = make_handler(Path("jittery", 0.02, 0.02, jitter=0.03))
    for _ in range(2000):
        handler.wait(0.02)
    assert min(delays) >= 0.02
    assert sum(delays) / len(delays) == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize(
    ("path", "timeout", "later"),
    [
        pytest.param(Path("short", 0.02, 0.02, loss=0.5), 0.2, 0.2, id="after TCP's minimum"),
        pytest.param(Path("long", 0.3, 0.3, loss=0.5), 0.2, 0.6, id="after a round trip"),
        pytest.param(Path("short", 0.02, 0.02, loss=0.5), 1.0, 1.0, id="a first one after 1 s"),
    ],
)
def test_what_tcp_loses_comes_later_and_each_time_twice_as_late(
    path: Path, timeout: float, later: float, delays: list[float]
) -> None:
    handler = make_handler(path)
    for _ in range(1000):
        handler.wait(path.out, timeout)
    lateness = [delay - path.out for delay in delays]
    assert {round(delay / later) for delay in lateness} > {0, 1, 3, 7}
    assert sum(delay > 0.1 for delay in lateness) == pytest.approx(500, rel=0.2)


def test_a_path_without_loss_and_jitter_takes_its_delay(delays: list[float]) -> None:
    make_handler(UNEVEN).wait(0.01, 0.2)
    assert delays == [0.01]


def test_the_truth_is_inside_and_no_verdict_is_wrong() -> None:
    paths = [Path("loopback", 0, 0), Path("uneven", 0.005, 0.025), Path("jittery", 0, 0, 0.005)]
    with ThreadPoolExecutor(10) as pool:
        trials = list(pool.map(lambda number: run_trial(paths[number % 3], f"{number}"), range(30)))
    assert [trial for trial in trials if trial.outcome not in ("right", "undetermined")] == []
    assert [trial for trial in trials if not trial.is_inside] == []


@pytest.mark.parametrize("widths", [2.5, -2.5])
def test_a_claim_that_misses_the_truth_is_seen(
    widths: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(url: str, **options: Any) -> Any:
        result = real_check(url, **options)
        (instance,) = result.verdict.instances
        moved = instance._replace(error=instance.error.shift(widths * instance.error.half_width))
        return result._replace(verdict=result.verdict._replace(instances=(moved,)))

    monkeypatch.setattr(accuracy, "check", check)
    trials = [run_trial(Path("loopback", 0, 0), f"{number}") for number in range(5)]
    assert [trial.is_inside for trial in trials] == [False] * 5


def make_verdict(status: Any, reason: str, bound: float = 0.1) -> Verdict:
    return Verdict(status, reason, "", True, (Instance("a", Interval(-bound, bound), 2, 0.0),))


@pytest.mark.parametrize(
    ("verdict", "error", "worth"),
    [
        (make_verdict("OK", "ok"), 0.97, "right"),
        (make_verdict("OK", "ok"), -1.03, "wrong"),
        (make_verdict("Failed", "clock_off"), -1.03, "right"),
        (make_verdict("Failed", "clock_off"), 0.97, "wrong"),
        (make_verdict("Failed", "inconsistent"), 0.0, "wrong"),
        (make_verdict("Failed", "timeout"), 5.0, "wrong"),
        (make_verdict("Failed", "undetermined"), 0.9, "undetermined"),
        (make_verdict("Failed", "undetermined"), 0.7, "wrong"),
        (make_verdict("Unknown", "reference_disagree"), 0.0, "wrong"),
    ],
)
def test_what_a_verdict_is_worth(verdict: Verdict, error: float, worth: str) -> None:
    assert judge_verdict(verdict, error, may_be_unknown=False) == worth


def test_that_no_ntp_packet_arrived_is_no_fault_where_packets_are_lost() -> None:
    unknown = make_verdict("Unknown", "clock_off")
    assert judge_verdict(unknown, 0.0, may_be_unknown=True) == "unknown"


QUIET = Path("20/20", 0.02, 0.02)
GOOD = Trial(QUIET, 24.0, True, "right")


@pytest.mark.parametrize(
    ("last", "is_held", "row", "total"),
    [
        (GOOD, True, "3 | 3 of 3 | 0 | 0 | 0 | 24.0 | 4.0 |", "3 of 3. Wrong verdicts: 0."),
        (
            GOOD._replace(is_inside=False),
            False,
            "3 | 2 of 3 | 0 | 0 | 0 | 24.0 | 4.0 |",
            "2 of 3. Wrong verdicts: 0.",
        ),
        (
            GOOD._replace(outcome="wrong"),
            False,
            "3 | 3 of 3 | 1 | 0 | 0 | 24.0 | 4.0 |",
            "3 of 3. Wrong verdicts: 1.",
        ),
        (
            Trial(QUIET, None, False, "unknown"),
            True,
            "3 | 2 of 2 | 0 | 0 | 1 | 24.0 | 4.0 |",
            "2 of 2. Wrong verdicts: 0.",
        ),
        (
            GOOD._replace(bound=30.0, outcome="undetermined"),
            True,
            "3 | 3 of 3 | 0 | 1 | 0 | 24.0 | 10.0 |",
            "3 of 3. Wrong verdicts: 0.",
        ),
    ],
)
def test_a_single_trial_can_miss_the_goal(
    last: Trial,
    is_held: bool,
    row: str,
    total: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(accuracy, "PATHS", [QUIET])
    assert accuracy.report([GOOD, GOOD, last]) is is_held
    output = capsys.readouterr().out
    assert f"| 20/20 | {row}" in output
    assert f"Truth inside the bound: {total}" in output


def test_trials_without_a_claim_miss_the_goal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(accuracy, "PATHS", [QUIET])
    assert not accuracy.report([Trial(QUIET, None, False, "unknown")])
    assert "| 20/20 | 1 | 0 of 0 | 0 | 0 | 1 | nan | nan |" in capsys.readouterr().out


def test_there_are_more_than_a_thousand_trials_and_no_two_paths_of_one_name() -> None:
    assert len(accuracy.PATHS) * accuracy.TRIALS >= 1_000
    assert len({path.name for path in accuracy.PATHS}) == len(accuracy.PATHS)
