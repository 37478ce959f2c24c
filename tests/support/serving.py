"""The service as it is run: gunicorn with its configuration, on a free port of this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
CONFIG = "service/gunicorn.conf.py"


class Running(NamedTuple):
    """A gunicorn that listens on `url`; its log is at `log`."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


def start(log: IO[bytes], server: str, *arguments: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "TIMESERVICE_BIND": "127.0.0.1:0",
        "TIMESERVICE_WORKERS": "1",
        "TIMESERVICE_TIME_SERVER": server,
        "PYTHONUNBUFFERED": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", CONFIG, *arguments],
        cwd=ROOT,
        env=environment,
        stderr=log,
    )


def wait_for_url(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until gunicorn listens, and return its URL."""
    listens = re.compile(r"Listening at: (http://127\.0\.0\.1:\d+)")
    wait_until(lambda: process.poll() is not None or listens.search(log.read_text()), log.read_text)
    found = listens.search(log.read_text())
    assert found, log.read_text()
    return found[1]


@contextmanager
def run_service(log: Path, server: str, *arguments: str) -> Iterator[Running]:
    """Run the service with that time server, and with these arguments of gunicorn."""
    with log.open("wb") as file:
        process = start(file, server, *arguments)
        try:
            yield Running(process, wait_for_url(process, log), log)
        finally:
            process.kill()
            process.wait()
