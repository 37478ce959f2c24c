"""Fixtures of the bench's tests."""

from __future__ import annotations

import pytest

from tests.support.healthcheck_runs import be_patient


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # A dead server costs all of it.
    be_patient(monkeypatch, for_servers=4.0)
