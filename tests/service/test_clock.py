"""Which clock is wrong when the time server's and ours differ: a test for each rule."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from service.clock import (
    JITTER,
    LIMIT,
    MAX_BOUND,
    MAX_DRIFT,
    REASONS,
    UNHEALTHY,
    Clock,
    Measurement,
    Moment,
    State,
)

# Seconds since 1970 by our clock when the monotonic clock is at 0.
BOOT = 1_800_000_000.0
POLL = 16.0


def at(monotonic: float, set_forward: float = 0.0) -> Moment:
    """set_forward: seconds by which our clock was set forward since boot."""
    return Moment(BOOT + monotonic + set_forward, monotonic)


class Poll(NamedTuple):
    """A measurement, `after` seconds later; our clock was `set_forward` seconds since boot."""

    offset: float
    state: State
    after: float = POLL
    set_forward: float = 0.0
    bound: float = 0.002


HISTORIES = {
    "all is well": [Poll(0.001, "synchronised"), Poll(-0.001, "synchronised")],
    "a host boots with a wrong clock": [Poll(3, "wrong"), Poll(3, "wrong")],
    "chrony steps it right": [Poll(3, "wrong"), Poll(0, "synchronised", set_forward=3)],
    "chrony slews it right, fast": [Poll(2, "wrong"), Poll(0.7, "wrong"), Poll(0, "synchronised")],
    "our clock is set forward, and back": [
        Poll(0, "synchronised"),
        Poll(-2, "wrong", set_forward=2),
        Poll(-2, "wrong", set_forward=2),
        Poll(0, "synchronised"),
    ],
    "our clock is set back": [Poll(0, "synchronised"), Poll(2, "wrong", set_forward=-2)],
    "the server jumps ahead, stays there, and comes back": [
        Poll(0, "synchronised"),
        *[Poll(3, "server_disagrees")] * 500,
        Poll(0, "synchronised"),
    ],
    "the server jumps back": [Poll(0, "synchronised"), Poll(-3, "server_disagrees")],
    "the server jumps, barely beyond the limit": [
        Poll(0, "synchronised"),
        Poll(0.6, "server_disagrees"),
    ],
    "the server jumps by years": [Poll(0, "synchronised"), Poll(-1e9, "server_disagrees")],
    "the server jumps twice": [
        Poll(0, "synchronised"),
        Poll(3, "server_disagrees"),
        Poll(-5, "server_disagrees"),
        Poll(0.1, "synchronised"),
    ],
    "the server lies already when the host boots": [Poll(3, "wrong"), Poll(0, "synchronised")],
    "a lying server does not hide that our clock is set": [
        Poll(0, "synchronised"),
        Poll(3, "server_disagrees"),
        Poll(1, "wrong", set_forward=2),
        Poll(3, "server_disagrees"),
    ],
    "a lying server does not hide a drift": [
        Poll(0, "synchronised"),
        *[Poll(3 + 0.04 * n, "server_disagrees") for n in range(13)],
        Poll(3.52, "wrong"),
    ],
    "a server's jump does not clear a wrong clock": [Poll(2, "wrong"), Poll(5, "wrong")],
    "a liar falls silent for an hour, and is repaired": [
        Poll(0.1, "synchronised"),
        Poll(3.1, "server_disagrees"),
        Poll(0.1, "synchronised", after=3600),
    ],
    "a liar falls silent for an hour, and still lies": [
        Poll(0, "synchronised"),
        Poll(3, "server_disagrees"),
        Poll(3, "server_disagrees", after=3600),
    ],
    "after a long silence a difference may be our drift": [
        Poll(0, "synchronised"),
        Poll(0.7, "wrong", after=600),
    ],
    "what drifts slowly is ours": [
        Poll(0, "synchronised"),
        *[Poll(0.04 * n, "synchronised") for n in range(1, 13)],
        Poll(0.52, "wrong"),
    ],
    "a vague answer proves nothing": [Poll(0.69, "synchronised", bound=0.2)],
    "a vague answer within the limit clears the server": [
        Poll(0, "synchronised"),
        Poll(3, "server_disagrees"),
        Poll(0.69, "synchronised", bound=0.2),
    ],
    "a vague answer beyond the limit does not": [
        Poll(0, "synchronised"),
        Poll(3, "server_disagrees"),
        Poll(3.1, "server_disagrees", bound=0.2),
    ],
    "just within the limit": [Poll(0.501, "synchronised", bound=0.002)],
    "just beyond the limit": [Poll(0.503, "wrong", bound=0.002)],
}


@pytest.mark.parametrize("polls", HISTORIES.values(), ids=HISTORIES.keys())
def test_the_clock_that_is_wrong_gets_the_blame(polls: list[Poll]) -> None:
    clock, monotonic, states = Clock(started=0), 0.0, []
    for poll in polls:
        monotonic += poll.after
        now = at(monotonic, poll.set_forward)
        clock = clock.update(Measurement(poll.offset, poll.bound, now))
        states.append(clock.state_at(now))
    assert states == [poll.state for poll in polls]


@pytest.mark.parametrize(
    ("after", "bounds", "largest"),
    [
        # The sum of 0.05 s, both bounds, and 2,000 ppm of the time between.
        (16, (0.002, 0.002), 0.05 + 0.004 + 0.032),
        (600, (0.002, 0.002), 0.05 + 0.004 + 1.2),
        (16, (0.2, 0.002), 0.05 + 0.202 + 0.032),
        (16, (0.002, 0.2), 0.05 + 0.202 + 0.032),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_jump_is_more_than_jitter_bounds_and_drift_explain(
    after: float, bounds: tuple[float, float], largest: float, sign: int
) -> None:
    start = 0.69
    for jump, fault in ((largest - 0.001, 0), (largest + 0.001, largest + 0.001)):
        clock = Clock(0).update(Measurement(sign * start, bounds[0], at(5000)))
        clock = clock.update(Measurement(sign * (start + jump), bounds[1], at(5000 + after)))
        assert clock.server_fault == pytest.approx(sign * fault, abs=1e-6)


def test_a_jump_of_the_server_during_a_step_of_our_own_is_told_apart_from_it() -> None:
    clock = Clock(0).update(Measurement(0, 0.002, at(0)))
    clock = clock.update(Measurement(3 - 2, 0.002, at(16, set_forward=2)))
    assert clock.server_fault == pytest.approx(3, abs=1e-6)
    assert clock.offset_at(at(16, set_forward=2)) == pytest.approx(-2, abs=1e-6)
    # A later step of our own adds to the offset, and does not change the fault.
    assert clock.offset_at(at(20, set_forward=7)) == pytest.approx(-7, abs=1e-6)


def test_the_jumps_of_the_server_add_up() -> None:
    clock = Clock(0).update(Measurement(0.1, 0.002, at(0)))
    for offset, fault in ((3.1, 3), (-4.9, -5), (-2.9, -3)):
        clock = clock.update(Measurement(offset, 0.002, at(16)))
        assert clock.server_fault == pytest.approx(fault, abs=1e-6)
        assert clock.offset_at(at(16)) == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("ppm", [-1000, -100, 100, 1000, 2000])
def test_a_drifting_clock_is_out_of_service_before_it_is_wrong_by_a_second(ppm: int) -> None:
    """Each response is as wrong as its bound allows, in favour of our clock."""
    clock, monotonic, error, bound = Clock(started=0), 0.0, 0.0, 0.2
    while monotonic == 0 or clock.state_at(at(monotonic)) not in UNHEALTHY:
        monotonic += POLL
        error = ppm * 1e-6 * monotonic
        flattered = -error + (bound if error > 0 else -bound)
        clock = clock.update(Measurement(flattered, bound, at(monotonic)))
        assert abs(error) < 1
    assert abs(error) > 0.5


def test_a_step_of_our_own_is_seen_without_another_answer() -> None:
    clock = Clock(started=0).update(Measurement(0.1, 0.002, at(1)))
    assert clock.state_at(at(1.001, set_forward=2)) == "wrong"
    assert clock.offset_at(at(1.001, set_forward=2)) == pytest.approx(-1.9, abs=1e-6)
    assert clock.state_at(at(1.002)) == "synchronised"


def test_a_step_is_seen_even_while_the_server_is_silent() -> None:
    clock = Clock(started=0).update(Measurement(0, 0.002, at(1)))
    assert clock.state_at(at(86_400)) == "server_silent"
    assert clock.state_at(at(86_400, set_forward=2)) == "wrong"


@pytest.mark.parametrize(("age", "state"), [(60, "synchronised"), (60.1, "server_silent")])
def test_a_server_is_silent_after_a_minute(age: float, state: State) -> None:
    clock = Clock(started=0).update(Measurement(0, 0.002, at(5000)))
    assert clock.state_at(at(5000 + age)) == state


def test_silence_does_not_clear_a_wrong_clock() -> None:
    clock = Clock(started=0).update(Measurement(3, 0.002, at(0)))
    assert clock.state_at(at(86_400)) == "wrong"


def test_a_server_that_is_never_heard_lets_the_host_serve_after_the_start() -> None:
    clock = Clock(started=100)
    assert clock.state_at(at(100)) == clock.state_at(at(109.9)) == "starting"
    assert clock.state_at(at(110)) == "server_silent"
    assert clock.offset_at(at(200)) is None


def test_only_a_clock_that_is_wrong_or_unknown_is_unhealthy() -> None:
    """The other states have a cause that all hosts share, and would take all out of service at
    once."""
    assert REASONS.keys() - UNHEALTHY == {"synchronised", "server_disagrees", "server_silent"}


@pytest.mark.parametrize(("offset", "state"), [(0.75, "synchronised"), (0.7500001, "wrong")])
def test_exactly_half_a_second_besides_the_bound_is_right(offset: float, state: State) -> None:
    clock = Clock(0.0, Measurement(offset, 0.25, at(0)))
    assert clock.state_at(at(0)) == state


def test_a_measurement_of_exactly_half_a_second_forgets_the_server_s_fault() -> None:
    clock = Clock(0.0, Measurement(0.0, 0.25, at(0)), server_fault=2.0)
    assert clock.update(Measurement(0.75, 0.25, at(POLL))).server_fault == 0.0


def test_a_jump_of_exactly_what_is_allowed_is_none() -> None:
    before = Measurement(1.0, 0.25, at(0))
    allowed = JITTER + 0.25 + 0.25 + MAX_DRIFT * 0.0
    clock = Clock(0.0, before).update(Measurement(1.0 + allowed, 0.25, at(0)))
    assert clock.server_fault == 0.0


def test_the_largest_bound_keeps_the_promise_of_a_second() -> None:
    assert MAX_BOUND == 0.2
    assert LIMIT + 2 * MAX_BOUND < 1.0
