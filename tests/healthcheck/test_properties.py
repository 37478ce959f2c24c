"""Hypothesis tries what tests/support/properties.py says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import properties


@pytest.mark.parametrize("holds", properties.ALL.values(), ids=list(properties.ALL))
def test_it_holds_for_whatever_comes(holds: Callable[[], None]) -> None:
    holds()
