"""Intervals, and the majority of several."""

from __future__ import annotations

import pytest

from healthcheck.interval import Interval, majority


@pytest.mark.parametrize(
    ("first", "other", "both"),
    [
        (Interval(0, 2), Interval(1, 3), Interval(1, 2)),
        (Interval(0, 3), Interval(1, 2), Interval(1, 2)),
        (Interval(0, 1), Interval(1, 2), Interval(1, 1)),
    ],
)
def test_two_intervals_meet_in_what_is_in_both(
    first: Interval, other: Interval, both: Interval
) -> None:
    assert first.meet(other) == other.meet(first) == both
    assert not both.is_empty


def test_intervals_with_nothing_in_common_meet_in_an_empty_one() -> None:
    assert Interval(0, 1).meet(Interval(1.001, 2)).is_empty


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


def test_middle_half_width_difference_widening_and_shift() -> None:
    interval = Interval(1, 4)
    assert (interval.middle, interval.half_width) == (2.5, 1.5)
    assert interval.minus(Interval(-1, 2)) == Interval(-1, 5)
    assert interval.widen(0.5) == Interval(0.5, 4.5)
    assert interval.shift(0.5) == Interval(1.5, 4.5)


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
    found = majority([Interval(*ends) for ends in intervals])
    assert found == (common and Interval(*common))
