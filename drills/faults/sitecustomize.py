"""A wrong clock for one container: Python imports this file by its name, before the service.

All containers share the machine's clocks, so this changes them where the service reads them.
The file `clock` beside this one has STEP DRIFT SINCE: seconds, seconds per second, and seconds of
the monotonic clock. A step moves only the wall clock, like setting it. A drift moves both clocks,
like a quartz that runs fast.
"""

import time
from pathlib import Path

SETTING = Path(__file__).parent / "clock"
_time, _monotonic, _gettime = time.time_ns, time.monotonic_ns, time.clock_gettime
_known: tuple[int, tuple[float, float, float]] = (0, (0.0, 0.0, 0.0))


def _setting(now: int) -> tuple[float, float, float]:
    """Step, drift and since, read from the file every 50 ms."""
    global _known
    if now - _known[0] > 50_000_000:
        try:
            step, drift, since = map(float, SETTING.read_text().split())
            _known = (now, (step, drift, since))
        except (OSError, ValueError):
            # The file is not there yet.
            _known = (now, _known[1])
    return _known[1]


def _drift(now: int) -> int:
    _, drift, since = _setting(now)
    return int(drift * (now - since * 1e9)) if since else 0


def time_ns() -> int:
    now = _monotonic()
    return _time() + int(_setting(now)[0] * 1e9) + _drift(now)


def monotonic_ns() -> int:
    now = _monotonic()
    return now + _drift(now)


time.time_ns, time.monotonic_ns = time_ns, monotonic_ns
time.time, time.monotonic = lambda: time_ns() / 1e9, lambda: monotonic_ns() / 1e9
# The service reads its steady clock by this call alone.
time.clock_gettime = lambda clock: _gettime(clock) + _drift(_monotonic()) / 1e9
