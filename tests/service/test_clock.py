"""Whose fault is it when the time server and our clock differ? The rules, as stories of what happened when."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from service.clock import (
    LIMIT,
    MAX_BOUND,
    REASONS,
    STALE,
    STARTING,
    UNHEALTHY,
    Clock,
    Measurement,
    Moment,
    State,
)

BOOT = 1_800_000_000.0  # what our clock says when the monotonic one says 0, in seconds
POLL = 16.0


def at(monotonic: float, set_forward: float = 0.0) -> Moment:
    """`set_forward`: seconds by which somebody has set our clock forward since boot."""
    return Moment(BOOT + monotonic + set_forward, monotonic)


class Poll(NamedTuple):
    """The server said `offset`, `after` seconds since the answer before; our clock was `set_forward` since boot."""

    offset: float
    state: State
    after: float = POLL
    set_forward: float = 0.0
    bound: float = 0.002


STORIES = {
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
        Poll(LIMIT + 0.1, "server_disagrees"),
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
    "just within the limit": [Poll(LIMIT + 0.001, "synchronised", bound=0.002)],
    "just beyond the limit": [Poll(LIMIT + 0.003, "wrong", bound=0.002)],
}


@pytest.mark.parametrize("polls", STORIES.values(), ids=STORIES.keys())
def test_the_right_one_is_blamed(polls: list[Poll]) -> None:
    clock, monotonic, states = Clock(started=0), 0.0, []
    for poll in polls:
        monotonic += poll.after
        now = at(monotonic, poll.set_forward)
        clock = clock.update(Measurement(poll.offset, poll.bound, now))
        states.append(clock.state_at(now))
    assert states == [poll.state for poll in polls]


@pytest.mark.parametrize("ppm", [-1000, -100, 100, 1000, 2000])
def test_a_drifting_clock_is_out_of_service_before_it_is_wrong_by_a_second(ppm: int) -> None:
    """Each answer is as wrong as its bound allows, in our clock's favour."""
    clock, monotonic, error, bound = Clock(started=0), 0.0, 0.0, 0.2
    while monotonic == 0 or clock.state_at(at(monotonic)) not in UNHEALTHY:
        monotonic += POLL
        error = ppm * 1e-6 * monotonic
        flattered = -error + (bound if error > 0 else -bound)
        clock = clock.update(Measurement(flattered, bound, at(monotonic)))
        assert abs(error) < 1
    assert abs(error) > LIMIT


def test_the_limit_and_the_vaguest_answer_keep_the_promised_second() -> None:
    assert LIMIT + 2 * MAX_BOUND < 1


def test_a_step_of_our_own_is_seen_without_another_answer() -> None:
    clock = Clock(started=0).update(Measurement(0.1, 0.002, at(1)))
    assert clock.state_at(at(1.001, set_forward=2)) == "wrong"
    assert clock.offset_at(at(1.001, set_forward=2)) == pytest.approx(-1.9, abs=1e-6)
    assert clock.state_at(at(1.002)) == "synchronised"


def test_a_step_is_seen_even_while_the_server_is_silent() -> None:
    clock = Clock(started=0).update(Measurement(0, 0.002, at(1)))
    assert clock.state_at(at(86_400)) == "server_silent"
    assert clock.state_at(at(86_400, set_forward=2)) == "wrong"


@pytest.mark.parametrize(
    ("age", "state"), [(STALE, "synchronised"), (STALE + 0.1, "server_silent")]
)
def test_a_server_is_silent_after_a_minute(age: float, state: State) -> None:
    clock = Clock(started=0).update(Measurement(0, 0.002, at(0)))
    assert clock.state_at(at(age)) == state


def test_silence_does_not_clear_a_wrong_clock() -> None:
    clock = Clock(started=0).update(Measurement(3, 0.002, at(0)))
    assert clock.state_at(at(86_400)) == "wrong"


def test_a_server_that_is_never_heard_lets_the_host_serve_after_the_start() -> None:
    clock = Clock(started=100)
    assert clock.state_at(at(100)) == clock.state_at(at(100 + STARTING - 0.1)) == "starting"
    assert clock.state_at(at(100 + STARTING)) == "server_silent"
    assert clock.offset_at(at(200)) is None


def test_only_a_clock_that_is_wrong_or_unknown_is_unhealthy() -> None:
    """Anything else that they share would take all hosts out of service at once."""
    assert REASONS.keys() - UNHEALTHY == {"synchronised", "server_disagrees", "server_silent"}
