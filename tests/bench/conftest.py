"""Fixtures of the bench's tests."""

from __future__ import annotations

import pytest

from tests.support.healthcheck_runs import be_patient


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # A check waits all of this for a dead server.
    be_patient(monkeypatch, for_servers=4.0)
