"""A wrong clock for one container: Python imports this by its name, before the service.

All containers share the machine's clocks, so they are bent where the service reads them. `clock` beside this file says
how: STEP DRIFT SINCE, in seconds, seconds per second, and seconds of the monotonic clock. A step moves only the clock
that tells the time, as setting it would; a drift moves both, as a quartz that runs fast would.
"""

from __future__ import annotations

import time
from pathlib import Path

SETTING = Path(__file__).parent / "clock"
_time, _monotonic = time.time_ns, time.monotonic_ns
_known: tuple[int, tuple[float, float, float]] = (0, (0.0, 0.0, 0.0))


def _bent(now: int) -> tuple[float, float, float]:
    """What the file says, read again every 50 ms."""
    global _known
    if now - _known[0] > 50_000_000:
        try:
            step, drift, since = map(float, SETTING.read_text().split())
            _known = (now, (step, drift, since))
        except (OSError, ValueError):  # not there, or being written
            _known = (now, _known[1])
    return _known[1]


def _drifted(now: int) -> int:
    _, drift, since = _bent(now)
    return int(drift * (now - since * 1e9)) if since else 0


def time_ns() -> int:
    now = _monotonic()
    return _time() + int(_bent(now)[0] * 1e9) + _drifted(now)


def monotonic_ns() -> int:
    now = _monotonic()
    return now + _drifted(now)


time.time_ns, time.monotonic_ns = time_ns, monotonic_ns
time.time, time.monotonic = lambda: time_ns() / 1e9, lambda: monotonic_ns() / 1e9
