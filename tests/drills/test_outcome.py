"""The counts and the expectations of a drill; `make drill` runs the drills themselves."""

from __future__ import annotations

import math
from typing import Any

import pytest

from drills import outcome
from drills.load import Request
from drills.outcome import Look, Outcome


def requests(*failed_at: int, until: int = 100) -> list[Request]:
    """A request each second; its latency in milliseconds is the number of its second."""
    return [Request(float(at), 0.001 * at, 503 if at in failed_at else 200) for at in range(until)]


def looks(*healthy: int) -> list[Look]:
    """Return a look for each second, with this number of healthy hosts."""
    return [Look(float(at), count) for at, count in enumerate(healthy)]


def result(**changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "name": "a-drill",
        "what": "it breaks",
        "fault_at": 10.0,
        "requests": requests(12, 20),
        "looks": looks(2, 2),
    }
    return Outcome(**(fields | changes))


def test_a_request_fails_unless_its_status_is_200() -> None:
    statuses = [200, 201, 204, 301, 400, 503, 0]
    failed = outcome.failures([Request(1.0, 0.1, status) for status in statuses])
    assert [request.status for request in failed] == [201, 204, 301, 400, 503, 0]


def test_errors_end_with_the_last_request_that_failed() -> None:
    assert outcome.get_duration_of_errors(requests(12, 20), 10.0) == 10.0
    assert outcome.get_duration_of_errors(requests(), 10.0) is None


def test_an_error_before_the_fault_is_still_an_error() -> None:
    assert outcome.get_duration_of_errors(requests(3), 10.0) == 0.0
    assert len(outcome.failures(requests(3))) == 1


@pytest.mark.parametrize(
    ("healthy", "after"),
    [
        ((2, 2, 2, 2), None),
        ((2, 2, 4, 2), None),
        ((1, 2, 2, 2), None),
        ((2, 2, 1, 1, 2, 2), 3.0),
        ((2, 2, 1, 2, 1, 2), 4.0),
        ((2, 0, 2, 2, 2, 2), 1.0),
        ((2, 2, 1, 1), math.inf),
    ],
)
def test_two_healthy_hosts_count_when_they_stay_healthy(
    healthy: tuple[int, ...], after: float | None
) -> None:
    assert outcome.two_healthy(looks(*healthy), 1.0) == after


def test_latencies_are_of_requests_that_had_a_response() -> None:
    unanswered = Request(1.0, 10.0, 0, "no response")
    assert outcome.get_latencies([Request(1.0, 5.0, 503), unanswered]) == [5.0]


def test_a_percentile_needs_responses() -> None:
    answered = [Request(1.0, latency / 100, 200) for latency in range(1, 100)]
    unanswered = [Request(1.0, 10.0, 0, "no response")] * 500
    assert outcome.get_percentile(answered + unanswered, 50) == pytest.approx(0.5)
    assert outcome.get_percentile(answered + unanswered, 99) == pytest.approx(0.99)
    assert outcome.get_percentile(unanswered, 99) == math.inf


def test_requests_of_an_interval_include_its_start_and_not_its_end() -> None:
    assert [request.due for request in outcome.between(requests(), 3, 6)] == [3.0, 4.0, 5.0]


def test_the_worst_error_is_that_of_all_requests() -> None:
    wrong = [Request(float(at), 0.1, 200, wrong=error) for at, error in enumerate((3.0, 0.5, 0.7))]
    assert outcome.worst_error(wrong) == 3.0
    assert outcome.worst_error([]) == 0.0


def test_a_drill_holds_until_an_expectation_does_not() -> None:
    drill = result()
    drill.expect(True, "it does")
    assert drill.holds
    drill.expect(False, "it does not")
    assert not drill.holds
    assert drill.broken == ["it does not"]


def test_no_failure_is_expected_with_its_number_and_reason() -> None:
    good, bad, silent = result(requests=requests()), result(), result()
    silent.requests = [Request(1.0, 10.0, 0, "no response within 10 s")]
    for drill in (good, bad, silent):
        drill.expect_no_failure()
    assert good.holds
    assert bad.broken == ["no request fails (2 did: 503)"]
    assert silent.broken == ["no request fails (1 did: no response within 10 s)"]


@pytest.mark.parametrize(("seconds", "held"), [(9.9, False), (10.0, True), (21.0, True)])
def test_errors_may_last_until_the_limit(seconds: float, held: bool) -> None:
    drill = result()
    drill.expect_errors_end(seconds)
    assert drill.holds == held
    patient = result(patience=10.0)
    patient.expect_errors_end(seconds / 10)
    assert patient.holds == held
    faultless = result(requests=requests())
    faultless.expect_errors_end(0.0)
    assert faultless.holds


@pytest.mark.parametrize(("error", "held"), [(1.0, True), (1.01, False)])
def test_a_time_may_be_a_second_wrong_and_no_more(error: float, held: bool) -> None:
    drill = result(requests=[Request(5.0, 0.1, 200, wrong=error)])
    drill.expect_right_time()
    assert drill.holds == held


@pytest.mark.parametrize(
    ("healthy", "held"), [((2, 2, 2), True), ((2, 1, 2), False), ((2, 3, 4), True)]
)
def test_one_look_at_too_few_hosts_is_noticed(healthy: tuple[int, ...], held: bool) -> None:
    drill = result(looks=looks(*healthy))
    drill.expect_never_short()
    assert drill.holds == held


def test_a_table_has_a_row_for_each_drill() -> None:
    assert outcome.HEAD.splitlines()[0] == (
        "| drill | what happens | sent | failed | errors ended after | two healthy hosts after "
        "| worst latency | alarms | verdict |"
    )
    loud = result(alarms={"B", "A"}, broken=["it"], looks=[Look(11.0, 0)])
    assert outcome.format_row(loud) == (
        "| a-drill | it breaks | 100 | 2 | 10.0 s | never | 99 ms | A, B | **failed** |"
    )
    quiet = result(requests=requests(until=2000))
    assert outcome.format_row(quiet) == (
        "| a-drill | it breaks | 2,000 | 0 | no errors | there all the time | 2.0 s | none | held |"
    )
