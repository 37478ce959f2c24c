"""The sums of the page, as the browser does them."""

from __future__ import annotations

import random

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0.0 ms"),
        (1.26, "1.3 ms"),
        (12.4, "12 ms"),
        (99.4, "99 ms"),
        (340, "0.34 s"),
        (59_990, "59.99 s"),
        (60_000, "1.0 min"),
        (125_400, "2.1 min"),
        (7_200_000, "2.0 h"),
        (86_400_000, "1.0 days"),
        (273_600_000, "3.2 days"),
    ],
)
def test_durations_read_well(milliseconds: float, text: str, page: Page) -> None:
    assert page.evaluate("ms => duration(ms)", milliseconds).replace("\xa0", " ") == text


@pytest.mark.parametrize(
    ("hours", "ends"),
    [(0.5, "1 h"), (23, "1 day"), (25, "3 days"), (-76, "5 days"), (24 * 400, "402 days")],
)
def test_the_ends_of_the_scale_are_named(hours: float, ends: str, page: Page) -> None:
    script = "ms => { showScale(ms, 1); return ['slow', 'fast'].map(end => $(end).textContent) }"
    assert page.evaluate(script, hours * 3_600_000) == [f"{ends} slow", f"{ends} fast"]


@pytest.mark.parametrize(("step", "least"), [(0.1, 1), (1, 2), (16.7, 33.4), (100, 200)])
def test_how_coarse_a_clock_is_shows_in_its_steps(step: float, least: float, page: Page) -> None:
    """The test has a clock that moves once in a thousand readings, and may move after the first."""
    script = "step => { let looks = 0; return resolution(() => step * Math.floor(++looks / 1000)) }"
    assert page.evaluate(script, step) == pytest.approx(least)


def test_a_clock_that_stands_still_is_as_coarse_as_can_be(page: Page) -> None:
    assert page.evaluate("resolution(() => 5)") == 200


@pytest.mark.parametrize(
    ("offset", "bound", "text"),
    [(-18, 25, "right, to within ±43 ms"), (18, 25, "right, to within ±43 ms")],
)
def test_a_clock_that_is_right_is_so_to_within_the_far_end(
    offset: float, bound: float, text: str, page: Page
) -> None:
    found = page.evaluate("([offset, bound]) => verdict(offset, bound).text", [offset, bound])
    assert found.replace("\xa0", " ") == f"Your clock is {text}"


@pytest.mark.parametrize(("seen", "least"), [(1, 10), (2, 18), (3, 25)])
def test_a_round_goes_on_until_hardly_any_host_can_be_missing(
    seen: int, least: int, page: Page
) -> None:
    script = "([number, seen]) => isCovered(number, seen)"
    assert page.evaluate(script, [least, seen])
    assert not page.evaluate(script, [least - 1, seen])


def test_a_bound_is_never_rounded_down(page: Page) -> None:
    bounds = page.evaluate("[1.21, 12.1, 340.1].map(plusMinus)")
    assert bounds == ["±1.3\xa0ms", "±13\xa0ms", "±0.35\xa0s"]


def test_the_time_is_within_the_bound_however_long_each_way_takes(page: Page) -> None:
    """Return trials with invented delays and clock errors, known to the host within its bound."""
    rng = random.Random(1)
    for _ in range(200):
        truth, known = rng.uniform(0, 2e12), None
        for sent in (0, 5_000, 10_000):
            out, back = rng.expovariate(0.02), rng.expovariate(0.02)
            error, bound = rng.uniform(-0.5, 0.5), rng.uniform(0, 0.2)
            clock = {"offset": -error + rng.uniform(-bound, bound), "bound": bound, "age": 5}
            said = {"epoch": (truth + sent + out) / 1000 + error, "clock": clock}
            known = page.evaluate(
                "([known, ...rest]) => narrow(known, interval(...rest))",
                [known, said, sent, sent + out + back],
            )
            assert known["gap"] == 0
            assert known["lo"] <= truth <= known["hi"]


@pytest.mark.parametrize(
    ("first", "second", "combined"),
    [
        ((0, 10), (5, 20), (5, 10, 0)),
        ((0, 10), (2, 4), (2, 4, 0)),
        ((0, 10), (30, 40), (0, 40, 20)),  # one of them is wrong, and it is unknown which
    ],
)
def test_what_two_hosts_say_is_put_together(
    first: tuple[int, int], second: tuple[int, int], combined: tuple[int, int, int], page: Page
) -> None:
    intervals = [{"lo": lo, "hi": hi, "at": 0} for lo, hi in (first, second)]
    found = page.evaluate("all => combine(all, 0)", intervals)
    assert (found["lo"], found["hi"], found["gap"]) == combined


def test_what_is_known_widens_with_time(page: Page) -> None:
    """The interval grows by what a crystal may be off: 0.36 s in an hour."""
    found = page.evaluate("widen({lo: 0, hi: 10, at: 0}, 3600000)")
    assert (found["lo"], found["hi"]) == pytest.approx((-360, 370))


def test_a_clock_that_nobody_has_compared_is_good_for_what_is_promised(page: Page) -> None:
    said = {"epoch": 1, "clock": {"offset": None, "bound": None, "age": None}}
    found = page.evaluate("said => interval(said, 0, 0)", said)
    assert (found["lo"], found["hi"]) == (-1, 2001)
