"""Intervals, the majority of several, and the claim that all of it rests on: the truth lies inside the bound."""

from __future__ import annotations

import random

import pytest

from healthcheck.clock import Own
from healthcheck.interval import Interval, majority
from healthcheck.reading import Reading, Sample, Server
from healthcheck.reference import combine
from healthcheck.timestamp import Timestamp
from healthcheck.verdict import judge


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Interval(0, 2), Interval(1, 3), Interval(1, 2)),
        (Interval(0, 3), Interval(1, 2), Interval(1, 2)),
        (Interval(0, 1), Interval(1, 2), Interval(1, 1)),
    ],
)
def test_two_intervals_meet_in_what_is_in_both(
    one: Interval, other: Interval, both: Interval
) -> None:
    assert one.meet(other) == other.meet(one) == both
    assert not both.empty


def test_intervals_with_nothing_in_common_meet_in_an_empty_one() -> None:
    assert Interval(0, 1).meet(Interval(1.001, 2)).empty


@pytest.mark.parametrize(
    ("interval", "least", "most"),
    [
        (Interval(-1, 3), 0, 3),
        (Interval(-3, 1), 0, 3),
        (Interval(1, 3), 1, 3),
        (Interval(-3, -1), 1, 3),
        (Interval(0, 0), 0, 0),
    ],
)
def test_distances_from_zero(interval: Interval, least: float, most: float) -> None:
    assert (interval.least, interval.most) == (least, most)


def test_middle_half_width_difference_and_widening() -> None:
    one = Interval(1, 4)
    assert (one.middle, one.half_width) == (2.5, 1.5)
    assert one.minus(Interval(-1, 2)) == Interval(-1, 5)
    assert one.widened(0.5) == Interval(0.5, 4.5)


@pytest.mark.parametrize(
    ("intervals", "common"),
    [
        pytest.param([(1, 2)], (1, 2), id="one"),
        pytest.param([(0, 2), (1, 3)], (1, 2), id="two that overlap"),
        pytest.param([(0, 1), (2, 3)], None, id="two that do not"),
        pytest.param([(0, 1), (1, 2)], (1, 1), id="two that touch"),
        pytest.param([(0, 2), (1, 3), (50, 51)], (1, 2), id="two against a liar"),
        pytest.param([(0, 1), (5, 6), (50, 51)], None, id="three opinions"),
        pytest.param([(0, 2), (1, 3), (5, 7), (6, 8)], None, id="two against two"),
        pytest.param([(8, 12), (11, 13), (10, 12)], (10, 12), id="liar at the end of two"),
        pytest.param([(0, 2), (1, 5), (4, 6)], (1, 5), id="one between two: either may be right"),
        pytest.param([(0, 10), (0, 10), (0, 10), (9, 11)], (0, 10), id="a fourth counts for less"),
    ],
)
def test_the_majority_of_intervals(
    intervals: list[tuple[float, float]], common: tuple[float, float] | None
) -> None:
    found = majority([Interval(*one) for one in intervals])
    assert found == (common and Interval(*common))


def test_the_majority_holds_the_truth_whatever_a_minority_says() -> None:
    chance = random.Random(5905)  # noqa: S311 - a fixed seed, no secret
    for _ in range(2000):
        count = chance.randint(1, 7)
        liars = chance.randint(0, (count - 1) // 2)
        truth = chance.uniform(-5, 5)
        intervals = [around(truth, chance) for _ in range(count - liars)]
        intervals += [around(truth + chance.uniform(-3, 3), chance) for _ in range(liars)]
        chance.shuffle(intervals)
        found = majority(intervals)
        assert found is not None
        assert found.low <= truth <= found.high


def around(value: float, chance: random.Random) -> Interval:
    return Interval(value - chance.uniform(0, 1), value + chance.uniform(0, 1))


def test_the_truth_lies_inside_the_bound_of_a_whole_check() -> None:
    """Any split of the delays, any clock of our own, a minority of lying servers, stamps cut to any resolution."""
    chance = random.Random(3339)  # noqa: S311 - a fixed seed, no secret
    now = 1_795_348_800.0
    for _ in range(1000):
        own_error, error = chance.uniform(-100, 100), chance.uniform(-3, 3)
        servers = [
            Server(
                f"ntp{number}", around(-own_error + (chance.uniform(-9, 9) if lies else 0), chance)
            )
            for number, lies in enumerate([False, False, False, chance.random() < 0.5])
        ]
        reference = combine(servers, at=0.0, ours=Own(now + own_error, 0.0))
        resolution = 10.0 ** -chance.randint(0, 6)
        samples, at = [], chance.uniform(0, 1)
        for _ in range(chance.randint(1, 8)):
            out, back = chance.expovariate(10), chance.expovariate(10)
            exact = now + at + out + error
            said = exact // resolution * resolution
            sent, arrived = now + at + own_error, now + at + out + back + own_error
            offset = Interval(said - arrived, said + resolution - sent)
            stamp = Timestamp(said, resolution)
            ours = Own(now + own_error, 0.0)
            samples.append(Sample("a", offset, stamp, at, at + out + back, ours, ours))
            at += out + back + chance.uniform(0, 0.1)
        verdict = judge(Reading(tuple(samples), reference))
        assert verdict.worst is not None, verdict
        # A tick of the floats, at today's number of seconds.
        assert verdict.worst.error.low - 1e-6 <= error <= verdict.worst.error.high + 1e-6
