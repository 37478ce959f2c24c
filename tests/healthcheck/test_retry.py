"""How often a check asks, how long it waits in between, and what it keeps. Times are in seconds."""

from __future__ import annotations

import inspect
import itertools
import random
import threading
from collections.abc import Callable

import pytest

from healthcheck import check as checking
from healthcheck import reference
from healthcheck.check import check
from healthcheck.reading import Reference, Sample, Trouble
from healthcheck.reference import TIMEOUT
from healthcheck.samples import Query, Service
from healthcheck.waiting import Bell
from tests.healthcheck.test_verdict import sample
from tests.support.healthcheck_runs import (
    alternate,
    check_server,
    exact_reference,
    frozen_clock,
    hang_up,
    respond,
    slow_clock,
)
from tests.support.healthcheck_servers import Request, time_service, web
from tests.support.waiting import PATIENCE

# The defaults, before a fixture gives checks more time.
DEFAULTS = inspect.signature(check).parameters


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the pauses of a check, which then take no time."""
    seen: list[float] = []
    monkeypatch.setattr(checking, "pause", seen.append)
    return seen


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 0.3), (0.5, 0.45), (1.0, 0.6)])
def test_a_broken_connection_is_tried_again_after_a_pause_with_jitter(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch, chance: float, wait: float
) -> None:
    monkeypatch.setattr(random, "random", lambda: chance)
    with web(alternate(hang_up, *[time_service()] * 999)) as server:
        result = check(server.url, ask_reference=exact_reference)
    assert result.verdict.status == "OK"
    assert result.reading.trouble is None
    assert pauses[0] == pytest.approx(wait)


def test_there_is_no_second_try_after_the_deadline(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "RETRY_AFTER", PATIENCE + 1)
    with web(hang_up) as server:
        result = check(server.url, ask_reference=exact_reference, deadline=PATIENCE)
    assert len(server.requests) == 1
    assert (result.verdict.reason, pauses) == ("unreachable", [])


def fail_at_first(monkeypatch: pytest.MonkeyPatch, *reasons: str) -> None:
    """Let the first samples fail for these reasons."""
    left, take = list(reasons), Service.sample

    def fail(service: Service) -> Sample:
        if left:
            raise Trouble(left.pop(0), f"{len(left)} left")
        return take(service)

    monkeypatch.setattr(Service, "sample", fail)


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("reason", ["dns", "proxy", "refused", "timeout", "tls", "unreachable"])
def test_a_failure_of_the_connection_is_tried_again_once(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    fail_at_first(monkeypatch, reason)
    assert check_server(time_service()).verdict.status == "OK"
    fail_at_first(monkeypatch, reason, reason)
    assert check_server(time_service()).verdict.reason == reason


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("reason", ["status", "body", "cached", "redirect"])
def test_a_bad_response_is_final(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    fail_at_first(monkeypatch, reason)
    assert check_server(time_service()).verdict.reason == reason


@pytest.mark.parametrize(
    ("failure", "reason"), [(Trouble("status", "busy"), "status"), (LookupError(), "error")]
)
def test_all_lanes_end_after_a_failure_in_one(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, reason: str
) -> None:
    has_failed, has_ended = threading.Event(), threading.Event()
    calls, hosts = itertools.count(1), itertools.count(1)
    take, ring = Service.sample, Bell.ring

    def fail_third(service: Service) -> Sample:
        number = next(calls)
        if number == 3:
            has_failed.set()
            raise failure
        if number > 3:
            assert has_ended.wait(PATIENCE)
        return take(service)

    def note(bell: Bell) -> None:
        ring(bell)
        if has_failed.is_set():
            has_ended.set()

    monkeypatch.setattr(Service, "sample", fail_third)
    # A lane rings at its end.
    monkeypatch.setattr(Bell, "ring", note)
    # Each response names another host, so without the failure the check goes on.
    result = check_server(lambda request: time_service(instance=f"i-{next(hosts)}")(request))
    assert result.verdict.reason == reason
    assert not result.coverage.is_certain
    assert result.coverage.connections <= checking.LANES


@pytest.mark.usefixtures("pauses")
def test_the_second_trouble_is_the_one_that_is_reported() -> None:
    verdict = check_server(alternate(hang_up, respond({}, 500))).verdict
    assert (verdict.status, verdict.reason) == ("Failed", "status")


def test_a_reference_that_raises_is_a_defect_of_ours() -> None:
    def broken(patience: float) -> Reference:
        raise LookupError("no such server")

    with web(time_service()) as server:
        result = check(server.url, ask_reference=broken)
    assert (result.verdict.status, result.verdict.reason) == ("Unknown", "error")
    assert "no such server" in result.verdict.detail
    assert not result.verdict.is_final
    assert result.phases["reference"] <= result.phases["total"]


def test_a_reference_that_hangs_is_left_behind_at_the_deadline() -> None:
    released, before = threading.Event(), set(threading.enumerate())

    def hang(patience: float) -> Reference:
        released.wait()
        return exact_reference(patience)

    with web(time_service()) as server:
        result = check(server.url, ask_reference=hang, deadline=1.0)
        left = {thread for thread in threading.enumerate() if "_ask" in thread.name} - before
    released.set()
    assert (result.verdict.status, result.verdict.reason) == ("Failed", "timeout")
    assert result.reading.reference.kind == "local"
    assert [thread.daemon for thread in left] == [True]


def test_a_frozen_clock_is_asked_no_more_once_it_is_proven_frozen() -> None:
    """Each lane stops after a pause in which a running clock must move on."""
    result = check_server(frozen_clock())
    assert result.verdict.reason == "frozen"
    assert result.coverage.connections < checking.SAMPLES / 4


def test_a_slow_service_is_asked_no_more_in_the_second_half_of_the_time(
    spend: Callable[[float], float],
) -> None:
    result = check_server(lambda request: time_service(spend(0.3 * PATIENCE))(request))
    assert len(result.reading.samples) == 2
    assert (result.verdict.status, result.verdict.reason) == ("Failed", "undetermined")
    assert not result.coverage.is_complete


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_a_service_that_serves_one_connection_after_the_other_is_not_late(
    spend: Callable[[float], float], share: float
) -> None:
    """Eight connections at once would make the last one wait for all others."""
    turn = threading.Lock()

    def behave(request: Request) -> None:
        with turn:
            # Meanwhile, all other connections begin.
            request.server.closing.wait(0.05)
            time_service(spend(share * PATIENCE))(request)

    # The service may read its clock only at the end of the whole round trip.
    result = check_server(behave, limit=PATIENCE)
    assert result.verdict.status == "OK", result.verdict.detail


@pytest.mark.parametrize(("deadline", "patience"), [(10.0, 1.5), (3.0, 1.5), (1.0, 0.5)])
def test_the_reference_gets_half_of_the_deadline_and_no_more_than_a_second_and_a_half(
    monkeypatch: pytest.MonkeyPatch, deadline: float, patience: float
) -> None:
    monkeypatch.setattr(reference, "TIMEOUT", TIMEOUT)
    given: list[float] = []

    def note(patience: float) -> Reference:
        given.append(patience)
        return exact_reference(patience)

    with web(time_service()) as server:
        check(server.url, ask_reference=note, deadline=deadline)
    assert given == [patience]


def test_by_default_one_host_is_expected_and_a_missed_one_is_no_failure() -> None:
    with web(time_service()) as server:
        result = check(server.url, ask_reference=exact_reference, samples=2)
    assert (result.verdict.status, result.verdict.reason) == ("OK", "too_few")
    assert result.coverage.expected == 1


def test_the_phases_of_a_check_end_before_it_does() -> None:
    phases = check_server(slow_clock(0.1)).phases
    assert 0.1 <= phases["first_answer"] <= phases["total"]
    assert 0 <= phases["reference"] <= phases["total"]


def test_an_unclear_clock_gets_no_more_samples_than_cover_all_hosts() -> None:
    result = check_server(time_service(1.0))
    assert result.verdict.reason == "undetermined"
    assert result.coverage.is_complete
    assert result.coverage.connections <= 14 + checking.LANES
    assert DEFAULTS["deadline"].default == 10.0


def test_a_host_with_a_small_share_gets_eight_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """More would not help a clock at the limit."""
    monkeypatch.setattr(checking, "LANES", 1)
    requests = itertools.count(1)

    def behave(request: Request) -> None:
        time_service(1.0, "a" if next(requests) % 20 else "b")(request)

    assert len(check_server(behave).reading.samples) == 8 * 20


@pytest.mark.parametrize(
    ("took", "handshake", "left", "lanes"),
    [
        (0.0, None, 10.0, 8),
        (0.5, None, 10.0, 5),
        (0.5, None, 9.0, 4),
        (0.75, 0.25, 10.0, 5),
        (9.0, None, 5.5, 1),
    ],
)
def test_two_requests_of_each_lane_fit_in_the_first_half_of_the_time_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, took: float, handshake: float | None, left: float, lanes: int
) -> None:
    monkeypatch.setattr(checking, "steady_time", lambda: 10.0 - left)
    query = Query("http://service.test", environment=False)
    run = checking._Run(query, 1.0, 400, 1, start=0.0, deadline=10.0)
    run.samples = [sample(rtt=took / 2), sample(rtt=took)]
    run.dialer.handshake = handshake
    assert run._count_lanes() == lanes


@pytest.mark.parametrize(
    ("digits", "pause"), [(6, 2.5e-6), (3, 2.5e-3), (2, 0.025), (1, None), (0, None)]
)
def test_between_samples_the_clock_gets_time_to_tick_if_that_is_soon(
    pauses: list[float], digits: int, pause: float | None
) -> None:
    """The last digit of each stamp is 1, because a zero would look like a coarser stamp."""
    stamps = [f"2026-11-22T10:11:0{second}" for second in (1, 2)]
    fraction = "." + "1".rjust(digits, "0") if digits else ""
    check_server(alternate(*(respond({"now": f"{stamp}{fraction}Z"}) for stamp in stamps)))
    assert pauses[:1] == ([] if pause is None else [pytest.approx(pause)])


def test_a_stamp_that_was_repeated_is_given_a_coarse_tick(pauses: list[float]) -> None:
    check_server(respond({"now": "2026-11-22T10:11:12.000001Z", "instance": "i-1"}))
    assert pauses[0] == pytest.approx(2.5e-6)
    assert set(pauses[1:]) <= {0.05}
