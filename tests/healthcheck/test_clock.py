"""The checker's own clocks: what counts as a step, and what as sleep. Times are in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from healthcheck import clock
from healthcheck.clock import OwnClocks, read_clocks, steady_time, time_since_boot


@pytest.mark.parametrize(
    ("slept", "is_awake"), [(0.0, True), (0.09, True), (0.11, False), (-0.09, True), (-0.11, False)]
)
def test_a_tenth_of_a_second_of_sleep_is_no_sleep(slept: float, is_awake: bool) -> None:
    assert OwnClocks(0.0, 50.0).has_stayed_awake_until(OwnClocks(99.0, 50.0 + slept)) is is_awake


@pytest.mark.parametrize(
    ("step", "is_kept"),
    [(0.0, True), (0.019, True), (0.021, False), (-0.019, True), (-0.021, False)],
)
def test_a_step_of_20_milliseconds_is_no_step(step: float, is_kept: bool) -> None:
    assert OwnClocks(50.0, 0.0).has_kept_epoch_until(OwnClocks(50.0 + step, 99.0)) is is_kept


def test_exactly_the_largest_movement_is_neither_sleep_nor_a_step() -> None:
    assert OwnClocks(0.0, 0.2).has_stayed_awake_until(OwnClocks(0.0, 0.1))
    assert OwnClocks(0.04, 0.0).has_kept_epoch_until(OwnClocks(0.02, 0.0))


def test_the_epoch_is_the_wall_clock_less_the_steady_one() -> None:
    before = time.time()
    now = read_clocks().epoch + steady_time()
    assert before - 0.01 <= now <= time.time() + 0.01
    assert read_clocks().slept >= -0.1


def readings(*values: float) -> Callable[[], float]:
    """A clock with these readings."""
    series: Iterator[float] = iter(values)
    return lambda: next(series)


def test_the_epoch_is_the_best_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption between two readings makes the difference smaller."""
    monkeypatch.setattr(clock, "steady_time", readings(0.0, 0.25, 0.0))
    monkeypatch.setattr(time, "time", readings(99.5, 100.0, 100.0))
    assert read_clocks().epoch == 100.0


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has it")
def test_the_sleep_is_the_best_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "steady_time", lambda: 0.0)
    values = {
        time.CLOCK_BOOTTIME: readings(60.0, 60.0, 60.0),
        time.CLOCK_MONOTONIC: readings(10.5, 10.75, 10.0),
    }
    monkeypatch.setattr(time, "clock_gettime", lambda kind: values[kind]())
    assert read_clocks().slept == 50.0


def test_where_the_steady_clock_goes_on_in_sleep_no_sleep_is_subtracted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert read_clocks().slept == 0.0


def test_the_time_since_boot_counts_the_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "steady_time", lambda: 100.0)
    monkeypatch.setattr(clock, "read_clocks", lambda: OwnClocks(0.0, 60.0))
    assert time_since_boot() == 160.0


@pytest.mark.parametrize("raw", [None, 7])
def test_the_steady_clock_is_the_raw_one_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, raw: int | None
) -> None:
    monkeypatch.setattr(clock, "RAW", raw)
    monkeypatch.setattr(time, "perf_counter", lambda: 1.0)
    monkeypatch.setattr(time, "clock_gettime", lambda kind: {7: 2.0}[kind])
    assert steady_time() == (1.0 if raw is None else 2.0)
