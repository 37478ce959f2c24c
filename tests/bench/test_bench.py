"""The bench's own instruments: relays delay and lose what they say, and a wrong verdict would be seen."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as File
from typing import Any

import pytest

from bench import healthcheck
from bench.goals import goals
from bench.memory import Usage, usage
from bench.network import HERE, network
from bench.paths import Path, Way
from bench.tables import table
from bench.trials import Draw, Trial, outcome, states, trial
from healthcheck.interval import Interval
from healthcheck.verdict import Instance, Verdict
from tests.support.healthcheck_servers import udp, web

SEED = "3339"
LATE = 0.5  # seconds that this machine may be late by
UNEVEN = Path("uneven", 0.010, 0.040)


def chance() -> random.Random:
    return random.Random(SEED)


@pytest.fixture
def behind() -> Iterator[Any]:
    """Opens a UDP relay to a server that answers with its steady clock; returns a socket whose far end it is."""
    with contextlib.ExitStack() as opened:
        paths = opened.enter_context(network(chance()))
        server = opened.enter_context(udp(lambda _: repr(time.monotonic()).encode()))

        def open_one(path: Path) -> socket.socket:
            asking = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            asking.settimeout(5)
            asking.connect((HERE, paths.udp(path, server.server_address[1])))
            return asking

        yield open_one


def test_a_datagram_takes_as_long_as_the_path_says_in_either_direction(behind: Any) -> None:
    asking = behind(UNEVEN)
    for _ in range(3):
        sent = time.monotonic()
        asking.send(b"?")
        there, arrived = float(asking.recv(100)), time.monotonic()
        assert UNEVEN.out <= there - sent < UNEVEN.out + LATE
        assert UNEVEN.back <= arrived - there < UNEVEN.back + LATE


def test_a_lost_datagram_never_arrives(behind: Any) -> None:
    asking = behind(Path("dead", 0, 0, loss=1.0))
    asking.settimeout(0.2)
    asking.send(b"?")
    with pytest.raises(TimeoutError):
        asking.recv(100)


def test_a_new_connection_costs_a_round_trip_and_a_kept_one_does_not() -> None:
    with web(states(0)) as service, network(chance()) as paths:
        address = (HERE, paths.tcp(UNEVEN, service.server_port))
        with socket.create_connection(address) as connection:
            for least in (2 * UNEVEN.rtt, UNEVEN.rtt):
                sent = time.monotonic()
                connection.send(b"GET / HTTP/1.1\r\n\r\n")
                answer = b""
                while not answer.endswith(b"}"):
                    answer += connection.recv(4096)
                assert least <= time.monotonic() - sent < least + LATE


def test_a_path_that_loses_nothing_takes_its_delay_and_keeps_the_order() -> None:
    way = Way(UNEVEN, UNEVEN.out, chance())
    assert way.datagram() == UNEVEN.out
    assert way.segment(1.0) == pytest.approx(1.0 + UNEVEN.out)
    together = [way.segment(1.0) for _ in range(3)]
    assert all(one < next_one for one, next_one in itertools.pairwise(together))


def test_jitter_comes_on_top_and_what_overtakes_waits() -> None:
    path = Path("jittery", 0.02, 0.02, jitter=0.03)
    datagrams = [Way(path, path.out, chance()).datagram() for _ in range(2)]
    assert datagrams[0] == datagrams[1]  # by the seed
    way = Way(path, path.out, chance())
    takes = [way.datagram() or 0.0 for _ in range(2000)]
    assert min(takes) >= path.out
    assert sum(takes) / len(takes) == pytest.approx(path.out + path.jitter, rel=0.1)
    arrivals = [way.segment(sent / 1000) for sent in range(100)]
    assert arrivals == sorted(arrivals)


@pytest.mark.parametrize(
    ("path", "first", "later"),
    [
        pytest.param(Path("short", 0.02, 0.02, loss=0.5), False, 0.2, id="after TCP's minimum"),
        pytest.param(Path("long", 0.3, 0.3, loss=0.5), False, 0.6, id="after a round trip"),
        pytest.param(Path("short", 0.02, 0.02, loss=0.5), True, 1.0, id="a first one after 1 s"),
    ],
)
def test_what_tcp_loses_comes_later_and_holds_up_what_follows(
    path: Path, first: bool, later: float
) -> None:
    random_ones = chance()
    ways = [Way(path, path.out, random_ones) for _ in range(1000)]
    delays = [way.segment(0.0, first) - path.out for way in ways]
    assert {round(delay / later) for delay in delays} > {
        0,
        1,
        3,
        7,
    }  # it waits twice as long each time
    assert sum(delay > 0.1 for delay in delays) == pytest.approx(500, rel=0.2)
    assert all(way.segment(0.0) > delay for way, delay in zip(ways, delays, strict=True))


def test_the_truth_lies_inside_and_no_verdict_is_wrong() -> None:
    paths = [Path("loopback", 0, 0), Path("uneven", 0.005, 0.025), Path("jittery", 0, 0, 0.005)]
    with ThreadPoolExecutor(10) as pool:
        trials = list(pool.map(lambda number: trial(paths[number % 3], f"{number}"), range(30)))
    assert [one for one in trials if one.outcome not in ("right", "undetermined")] == []
    assert [one for one in trials if not one.inside] == []
    assert len({one.draw.error for one in trials}) > 10


def said(status: Any, reason: str, bound: float = 0.1) -> Verdict:
    return Verdict(status, reason, "", True, (Instance("a", Interval(-bound, bound), 2, 0.0),))


@pytest.mark.parametrize(
    ("verdict", "error", "worth"),
    [
        (said("OK", "ok"), 0.97, "right"),
        (said("OK", "ok"), -1.03, "wrong"),
        (said("Failed", "clock_off"), -1.03, "right"),
        (said("Failed", "clock_off"), 0.97, "wrong"),
        (said("Failed", "inconsistent"), 0.0, "wrong"),
        (said("Failed", "timeout"), 5.0, "wrong"),
        (said("Failed", "undetermined"), 0.9, "undetermined"),
        (said("Failed", "undetermined"), 0.7, "wrong"),
        (said("Unknown", "reference_disagree"), 0.0, "wrong"),
    ],
)
def test_what_a_verdict_is_worth(verdict: Verdict, error: float, worth: str) -> None:
    assert outcome(verdict, error, may_be_unknown=False) == worth


def test_that_no_ntp_packet_arrived_is_no_fault_where_packets_are_lost() -> None:
    assert outcome(said("Unknown", "clock_off"), 0.0, may_be_unknown=True) == "unknown"


def made_up(number: int, **changes: Any) -> Trial:
    usual = {"claim": Interval(-0.024, 0.024), "status": "OK", "reason": "ok", "outcome": "right"}
    rest = {"requests": 2, "seconds": 0.1} | usual | changes
    return Trial("20/20", f"{number}", Draw(0.0, 0.0, ""), **rest)


QUIET = Path("20/20", 0.02, 0.02)
USAGES = [Usage(1000, 30_000, 3, 1), Usage(10_000, 30_400, 3, 1)]


@pytest.mark.parametrize(
    ("missed", "trial_changes", "usages"),
    [
        pytest.param([], {}, USAGES, id="none"),
        pytest.param([0], {"claim": Interval(0.001, 0.04)}, USAGES, id="truth outside"),
        pytest.param([1], {"outcome": "wrong"}, USAGES, id="wrong verdict"),
        pytest.param([3], {"requests": 3}, USAGES, id="three requests"),
        pytest.param([4], {}, [USAGES[0], Usage(10_000, 31_100, 3, 1)], id="memory"),
    ],
)
def test_one_trial_can_miss_a_target(
    missed: list[int], trial_changes: dict[str, Any], usages: list[Usage]
) -> None:
    trials = [made_up(number) for number in range(999)] + [made_up(999, **trial_changes)]
    held = [one.held for one in goals([QUIET], trials, usages)]
    assert [number for number, one in enumerate(held) if not one] == missed


def test_bounds_that_are_too_wide_or_trials_that_are_too_few_miss_a_target() -> None:
    wide = [made_up(number, claim=Interval(-0.03, 0.03)) for number in range(1000)]
    assert [one.held for one in goals([QUIET], wide, USAGES)] == [True, True, False, True, True]
    few = [made_up(number) for number in range(999)]
    assert [one.held for one in goals([QUIET], few, USAGES)] == [False, True, True, True, True]


def test_tables_are_straight() -> None:
    assert table(["path", "s"], [["a", "1.5"], ["longer", "10"]]).splitlines() == [
        "| path   |   s |",
        "|--------|----:|",
        "| a      | 1.5 |",
        "| longer |  10 |",
    ]


def test_the_command_prints_all_tables_keeps_the_results_and_fails_with_a_target(
    monkeypatch: pytest.MonkeyPatch, tmp_path: File, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(healthcheck, "PATHS", [QUIET])
    monkeypatch.setattr(healthcheck, "RESULTS", tmp_path / "build/results.json")
    monkeypatch.setattr(healthcheck, "run", lambda todo: map(made_up, range(len(todo))))
    monkeypatch.setattr(healthcheck, "measured", lambda: USAGES)
    assert healthcheck.main(["--trials", "10"]) == 1
    assert "| 20/20    | 40.0 |" in capsys.readouterr().out
    assert '"goals"' in (tmp_path / "build/results.json").read_text()


def test_a_process_knows_what_it_holds() -> None:
    now = usage(7)
    assert now.checks == 7
    assert now.memory > 10_000
    assert now.files >= 3
    assert now.threads >= 1
