"""Runs wrk, and reads what it says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

DEBIAN = Path(__file__).parent.parent / "build/debian"
WRK = DEBIAN / "wrk/usr/bin/wrk"
LIBRARIES = DEBIAN / "libluajit-5.1-2/usr/lib/x86_64-linux-gnu"
CONNECTIONS = 32
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}  # seconds


class Load(NamedTuple):
    """What wrk says. p50, p99: seconds. failed: answers that were no success, and connections that broke."""

    requests: int
    rate: float
    p50: float
    p99: float
    failed: int


def require() -> None:
    """SystemExit if it is not there."""
    if not WRK.exists() or not LIBRARIES.exists():
        raise SystemExit("error: build/debian has no wrk; `make bench` unpacks it")


def run(url: str, seconds: int) -> Load:
    """Ask for so many seconds, over CONNECTIONS kept ones."""
    command = [str(WRK), "--latency", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
    environment = os.environ | {"LD_LIBRARY_PATH": str(LIBRARIES)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"error: wrk failed on {url}: {done.stderr}{done.stdout}")
    return parsed(done.stdout)


def parsed(said: str) -> Load:
    """wrk's report; SystemExit if nothing was answered, as there is nothing to compare then."""

    def seconds(percentile: str) -> float:
        number, unit = found(rf"^ +{percentile}% +([\d.]+)([a-z]+)$").groups()
        return float(number) * UNITS[unit]

    def found(pattern: str) -> re.Match[str]:
        match = re.search(pattern, said, re.MULTILINE)
        if match is None:
            raise SystemExit(f"error: this is not what wrk is known to say:\n{said}")
        return match

    requests = int(found(r"^ +(\d+) requests in ")[1])
    if not requests:
        raise SystemExit(f"error: nothing was answered:\n{said}")
    failed = re.findall(r"^ +(?:Non-2xx or 3xx responses: |Socket errors: )(.*)$", said, re.M)
    failures = sum(int(number) for line in failed for number in re.findall(r"\d+", line))
    rate = float(found(r"^Requests/sec: +([\d.]+)$")[1])
    return Load(requests, rate, seconds("50"), seconds("99"), failures)
