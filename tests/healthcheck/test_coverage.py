"""When a check has met all hosts: the rule, and checks behind balancers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthcheck.check import Result, check
from healthcheck.coverage import Coverage
from healthcheck.formats import nagios, text
from tests.support.healthcheck_runs import check_server, exact_reference, is_inside
from tests.support.healthcheck_servers import Behaviour, Request, time_service, web

HOSTS = st.integers(1, 30)


@given(HOSTS, st.integers(0, 2_000))
def test_the_rule_is_the_probability_that_all_connections_miss_a_host(
    seen: int, connections: int
) -> None:
    exact = Fraction(seen, seen + 1) ** connections
    assert Coverage(seen, connections, 1).miss_probability == pytest.approx(float(exact))


def test_without_a_host_another_one_is_certainly_missed() -> None:
    coverage = Coverage(0, 40, 1)
    assert (coverage.miss_probability, coverage.is_certain) == (1.0, False)


@given(HOSTS)
def test_the_promise_of_a_tenth_of_a_percent_is_kept_and_with_a_reserve(seen: int) -> None:
    needed = next(k for k in itertools.count() if Coverage(seen, k, 1).is_certain)
    assert Fraction(seen, seen + 1) ** needed <= Fraction(1, 10_000)
    assert Fraction(seen, seen + 1) ** (needed - 1) > Fraction(1, 10_000)


@given(HOSTS, st.integers(0, 2_000))
def test_more_connections_cover_more_and_more_hosts_cover_less(seen: int, number: int) -> None:
    missed = Coverage(seen, number, 1).miss_probability
    assert (
        Coverage(seen, number + 1, 1).miss_probability
        <= missed
        <= Coverage(seen + 1, number, 1).miss_probability
    )


@given(st.integers(0, 30), st.integers(1, 30), st.integers(0, 2_000))
def test_coverage_is_complete_with_all_expected_hosts_and_no_other(
    seen: int, expected: int, connections: int
) -> None:
    coverage = Coverage(seen, connections, expected)
    assert coverage.is_complete is (seen >= expected and coverage.is_certain)
    assert not (coverage.is_complete and seen == 0)


@given(st.integers(2, 6), st.integers(0, 2**32))
def test_by_the_rule_alone_hardly_any_host_is_missed(hosts: int, seed: int) -> None:
    """In 200 runs, a host with an equal share is missed in three at most (on average in 0.02)."""
    chance = random.Random(seed)
    missed = 0
    for _ in range(200):
        seen: set[int] = set()
        for connections in itertools.count(1):
            seen.add(chance.randrange(hosts))
            if Coverage(len(seen), connections, 1).is_certain:
                break
        missed += len(seen) < hosts
    assert missed <= 3


def by_connection(choose: Callable[[], Behaviour]) -> Behaviour:
    """A balancer that keeps each connection at its host."""

    def behave(request: Request) -> None:
        if not hasattr(request, "host"):
            request.host = choose()  # type: ignore[attr-defined]
        request.host(request)  # type: ignore[attr-defined]

    return behave


def pairs_of_hosts() -> list[Behaviour]:
    return [time_service(0.0, "a"), time_service(2.0, "b")]


BALANCERS: dict[str, Callable[[random.Random], Behaviour]] = {
    "random": lambda chance: lambda request: chance.choice(pairs_of_hosts())(request),
    "sticky": lambda chance: by_connection(lambda: chance.choice(pairs_of_hosts())),
    "the first request of each connection to the same host": lambda _: by_turns(pairs_of_hosts()),
}


def by_turns(hosts: list[Behaviour]) -> Behaviour:
    def behave(request: Request) -> None:
        turns = request.__dict__.setdefault("turns", itertools.cycle(hosts))
        next(turns)(request)

    return behave


@pytest.mark.parametrize("balancer", BALANCERS.values(), ids=list(BALANCERS))
def test_the_one_wrong_host_of_two_is_found(
    balancer: Callable[[random.Random], Behaviour],
) -> None:
    for seed in range(20):
        result = check_server(balancer(random.Random(seed)))
        assert (result.verdict.status, result.verdict.reason) == ("Failed", "clock_off")
        assert result.verdict.detail.startswith("host b is ")
        assert result.verdict.worst
        assert is_inside(2.0, result.verdict.worst.error)


def check_hosts(behaviour: Behaviour, *, strict: bool = False) -> Result:
    with web(behaviour) as server:
        return check(
            server.url, ask_reference=exact_reference, instances=2, strict=strict, samples=1000
        )


def test_a_host_that_joins_late_is_waited_for(spend: Callable[[float], float]) -> None:
    served = itertools.count()

    def behave(request: Request) -> None:
        late = next(served) > 60
        time_service(spend(0) + (2.0 if late else 0.0), "b" if late else "a")(request)

    assert check_hosts(behave).verdict.reason in ("clock_off", "inconsistent")


@pytest.mark.parametrize(
    ("strict", "status", "plugin"), [(False, "OK", "WARNING"), (True, "Failed", "CRITICAL")]
)
def test_too_few_hosts_are_a_result_of_their_own(
    spend: Callable[[float], float], strict: bool, status: str, plugin: str
) -> None:
    result = check_hosts(lambda request: time_service(spend(0))(request), strict=strict)
    assert (result.verdict.status, result.verdict.reason) == (status, "too_few")
    assert nagios.status(result) == plugin
    assert "only 1 of 2 hosts responded" in text.render(result)
    assert not result.verdict.is_final


def test_too_few_requests_are_said() -> None:
    with web(time_service()) as server:
        result = check(server.url, ask_reference=exact_reference, samples=2)
    assert (result.verdict.status, result.verdict.reason) == ("OK", "too_few")
    line = text.render(result)
    assert "another host may be missed with a probability of 0.5 (connections: 1)" in line
