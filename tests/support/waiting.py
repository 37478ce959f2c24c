"""Waiting for a condition, so that no verdict depends on how busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds. Only a hang takes this long.
PATIENCE = 120.0


def wait_until(condition: Callable[[], object], describe: Callable[[], object] = str) -> None:
    """Wait until the condition holds; raise AssertionError with a description after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.02)
