"""For the rehearsal: a clone of its own with a deployment of its own, and requests at a steady rate."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

ROOT = Path(__file__).parent.parent
BUILT = ("base.tar", "stage-base.tar", "image.tar.gz", "image.digest")
NOT_CLONED = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache")


class Done(NamedTuple):
    status: int
    output: str


class Clone:
    """A copy of this clone, as a user would have one, whose sources a test may change."""

    def __init__(self, folder: Path, name: str) -> None:
        """name: of its deployment. What has been built already is taken along."""
        self.folder, self.name, self.port = folder, name, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        shutil.copytree(ROOT, folder, ignore=NOT_CLONED)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / "build").mkdir()
        for built in BUILT:
            if (ROOT / "build" / built).exists():
                shutil.copy2(ROOT / "build" / built, folder / "build" / built)

    def start(self, target: str, **variables: str) -> subprocess.Popen[str]:
        """Start `make TARGET` in a process group of its own, with these variables set."""
        # This test is run by make too, whose variables are not for that other make.
        environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}
        environment |= {"NAME": self.name, "PORT": str(self.port), **variables}
        return subprocess.Popen(  # noqa: S603 - our own command
            ["make", target],  # noqa: S607
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def make(self, target: str, **variables: str) -> Done:
        process = self.start(target, **variables)
        try:
            output, _ = process.communicate(timeout=600)
        finally:
            process.kill()
        print(output)  # pytest shows it when the test fails
        return Done(process.returncode, output)

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Load(NamedTuple):
    """What came of the requests of a `steady_load`."""

    versions: Counter[str]
    failures: list[str]


@contextmanager
def steady_load(url: str, per_second: float = 50.0) -> Iterator[Load]:
    """GET `url` at that rate while the block runs, half of the requests on kept-alive connections."""
    load, ended = Load(Counter(), []), threading.Event()
    kept_alive = requests.Session()

    def ask(number: int) -> None:
        try:
            getter = kept_alive if number % 2 else requests
            answer = getter.get(url, timeout=5)
            answer.raise_for_status()
            load.versions[answer.json()["version"]] += 1
        except (requests.RequestException, ValueError, KeyError) as trouble:
            load.failures.append(f"{time.strftime('%X')} {trouble}")

    def run() -> None:
        start, number = time.monotonic(), 0
        while not ended.is_set():
            ask(number)
            number += 1
            # At a fixed rate: a slow answer does not let the next ones wait for longer than it took.
            ended.wait(max(0.0, start + number / per_second - time.monotonic()))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield load
    finally:
        ended.set()
        thread.join()
        kept_alive.close()
