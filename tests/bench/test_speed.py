"""The speed bench's arithmetic: what wrk says is read right, and a missed target shows."""

from __future__ import annotations

import pytest

from bench.contenders import DEVELOPMENT_SERVER, FIXED, SERVICE
from bench.speed import JSON, TEXT, Round, goals, medians, shown
from bench.wrk import Load, parsed

SAID = """Running 5s test @ http://172.18.0.2:8080/now
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    10.31ms    6.12ms  91.40ms   88.31%
    Req/Sec     3.12k   512.07     3.79k    66.00%
  Latency Distribution
     50%  982.00us
     75%   11.02ms
     90%   15.11ms
     99%    1.05s
  15525 requests in 5.00s, 10.10MB read
Requests/sec:   3104.52
Transfer/sec:      2.02MB
"""
TROUBLE = "  Socket errors: connect 0, read 3, write 0, timeout 4\n  Non-2xx or 3xx responses: 10\n"


def rounds(name: str, rates: list[float], path: str = JSON) -> list[Round]:
    loads = [Load(1000, rate, 0.01, 0.02, 1) for rate in rates]
    return [Round("small", name, path, load, 0.0003, 30.0, 40.0) for load in loads]


def test_the_report_of_wrk_is_read_with_its_units() -> None:
    said = parsed(SAID)
    assert (said.requests, said.rate, said.p99, said.failed) == (15525, 3104.52, 1.05, 0)
    assert said.p50 == pytest.approx(982e-6)


def test_what_failed_is_counted() -> None:
    assert parsed(SAID.replace("Requests/sec", TROUBLE + "Requests/sec")).failed == 17


@pytest.mark.parametrize(
    "said", ["", SAID.replace("15525", "0"), SAID.replace("99%", "98%")], ids=str.__len__
)
def test_a_report_that_says_nothing_ends_the_run(said: str) -> None:
    with pytest.raises(SystemExit, match="error: "):
        parsed(said)


def test_the_median_of_the_rounds_counts_and_each_path_is_a_line() -> None:
    json, text = medians(rounds(SERVICE, [10, 900, 20]) + rounds(SERVICE, [50], TEXT))
    assert (json.rate, json.failed, text.rate) == (20, 3, 50)


@pytest.mark.parametrize(
    ("ours", "held"),
    [(399.0, [False, False]), (400.0, [True, False]), (1000.0, [True, True])],
)
def test_a_target_is_held_from_its_number_on(ours: float, held: list[bool]) -> None:
    others = rounds(DEVELOPMENT_SERVER, [100]) + rounds(FIXED, [4000])
    # The text form is quicker, and does not count.
    lines = list(medians(rounds(SERVICE, [ours]) + rounds(SERVICE, [9000], TEXT) + others))
    assert [one.held for one in goals(lines)] == held


def test_the_table_is_in_units_for_people() -> None:
    *_, line = shown(medians(rounds(SERVICE, [1234.5]))).splitlines()
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["the service, `/now`", "1,234", "10.0", "20.0", "300", "30", "40", "1"]
