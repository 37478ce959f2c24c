"""Ten thousand checks one after the other, in a process that does nothing else: what they leave behind in it.

The service and its NTP server run in another process: `measured` is for that one.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.trials import states
from healthcheck.check import check
from healthcheck.periodic import SparingReference
from tests.support.healthcheck_servers import Request, ntp, web

REPORTS = (1_000, 2_000, 5_000, 10_000)  # checks
ROOT = Path(__file__).parent.parent


class Usage(NamedTuple):
    """What a process holds after so many checks. memory: resident, in KiB."""

    checks: int
    memory: int
    files: int
    threads: int


def usage(checks: int) -> Usage:
    """Of this process, now."""
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    files = len(os.listdir("/proc/self/fd")) - 1  # without the one that lists them
    return Usage(checks, int(resident.split()[1]), files, threading.active_count())


def measured() -> Iterator[Usage]:
    """Each of REPORTS, as soon as it is there."""
    with web(forgetful(states(0.0))) as service, ntp() as server:
        command = [sys.executable, "-m", "bench.memory", service.url, server.name]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout  # noqa: S101 - for mypy
            for line in child.stdout:
                yield Usage(*map(int, line.split()))
        if child.returncode:
            raise SystemExit("error: the checks failed")


def forgetful(behaviour: Callable[[Request], None]) -> Callable[[Request], None]:
    """The same behaviour by a server that does not remember its requests."""

    def behave(request: Request) -> None:
        request.server.requests.clear()
        behaviour(request)

    return behave


def main(url: str, server: str) -> int:
    ask = SparingReference([server])
    for number in range(1, REPORTS[-1] + 1):
        verdict = check(url, ask_reference=ask).verdict
        if verdict.status != "OK":
            print(f"check {number}: {verdict}", file=sys.stderr)
            return 1
        if number in REPORTS:
            gc.collect()
            print(*usage(number), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
