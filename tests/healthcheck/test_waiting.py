"""Waiting ends at a ring, or at the time-out."""

from __future__ import annotations

import threading
import time

import pytest

from healthcheck import waiting
from healthcheck.waiting import Bell, pause
from tests.support.waiting import PATIENCE


def test_a_ring_ends_the_waiting_and_none_does_not() -> None:
    with Bell() as bell:
        start = time.perf_counter()
        assert not bell.wait(0.05)
        assert time.perf_counter() - start > 0.04
        threading.Timer(0.05, bell.ring).start()
        assert bell.wait(PATIENCE)
        assert time.perf_counter() - start < PATIENCE / 2


def test_as_many_rings_are_waited_for_as_are_asked_for() -> None:
    with Bell() as bell:
        for _ in range(2):
            bell.ring()
        assert not bell.wait(0.05, rings=3)
        for _ in range(3):
            threading.Thread(target=bell.ring).start()
        assert bell.wait(PATIENCE, rings=3)


def test_a_thousand_rings_that_nobody_hears_hold_up_nobody() -> None:
    with Bell() as bell:
        for _ in range(10_000):
            bell.ring()
        assert bell.wait(PATIENCE)


def test_whoever_rings_too_late_is_not_told_so() -> None:
    with Bell() as bell:
        assert not bell.has_rung
    bell.ring()
    assert bell.has_rung


@pytest.mark.parametrize("timeout", [0.0, -0.5])
def test_without_time_nothing_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, timeout: float
) -> None:
    monkeypatch.setattr(waiting, "steady_time", lambda: 1.0)
    with Bell() as bell:
        assert not bell.wait(timeout)


def test_a_pause_lasts() -> None:
    start = time.perf_counter()
    pause(0.05)
    assert time.perf_counter() - start > 0.04
