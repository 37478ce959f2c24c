"""Fixtures of the healthcheck's tests."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from healthcheck import check as checking
from healthcheck import samples, transport
from healthcheck.clock import steady_time
from tests.support.healthcheck_runs import be_patient


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch)


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], float]:
    """Move a check's clock forward by some seconds; the function returns the sum of all.

    The check's pauses do the same, and take no time.
    """
    spent, turn = 0.0, threading.Lock()

    def spend(seconds: float) -> float:
        nonlocal spent
        with turn:
            spent += seconds
            return spent

    monkeypatch.setattr(checking, "pause", spend)
    for module in (checking, samples, transport):
        monkeypatch.setattr(module, "steady_time", lambda: steady_time() + spent)
    return spend
