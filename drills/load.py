"""A load on the deployment, whose every request is kept; drills/sender.py sends it."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Request(NamedTuple):
    """due: Unix seconds. latency: seconds since then. status: 0 without an answer, `trouble` says why.
    wrong: seconds by which the time told was off at least, whatever the answer's way took."""

    due: float
    latency: float
    status: int
    trouble: str = ""
    instance: str = ""
    version: str = ""
    wrong: float = 0.0

    @property
    def failed(self) -> bool:
        return self.status != 200

    @classmethod
    def read(cls, row: list[str]) -> Request:
        due, latency, status, trouble, instance, version, wrong = row
        return cls(
            float(due), float(latency), int(status), trouble, instance, version, float(wrong)
        )


def read(log: Path) -> list[Request]:
    """The requests of a load that has ended, in the order in which they were due."""
    with log.open(newline="") as file:
        return sorted(Request.read(row) for row in csv.reader(file))


class Running:
    """A load in its own process, from its first request on. requests: what came of it, once it has ended."""

    def __init__(self, url: str, rate: float, log: Path) -> None:
        command = [sys.executable, "-m", "drills.sender", url, str(log), str(rate)]
        self.log = log
        self.requests: list[Request] = []
        self._process = subprocess.Popen(
            command, cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 30
        while not log.exists() and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)

    def rate(self, rate: float) -> None:
        """From now on, in requests per second."""
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        self._process.stdin.write(f"{rate}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Send no more, and wait for the answers; raises RuntimeError if the load has not run until now."""
        self._process.communicate(timeout=60)
        if self._process.returncode:
            raise RuntimeError(f"the load ended with status {self._process.returncode}")
        self.requests = read(self.log)


@contextmanager
def running(url: str, rate: float, around: float = 2.0) -> Iterator[Running]:
    """GET `url`, `rate` times a second, while the block runs, and for `around` seconds before and after."""
    with tempfile.TemporaryDirectory() as folder:
        load = Running(url, rate, Path(folder) / "load.csv")
        time.sleep(around)
        try:
            yield load
            time.sleep(around)
        finally:
            load.end()
