"""For the rehearsal: requests at a steady rate."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import requests


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
