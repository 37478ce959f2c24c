"""Does something again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def background(action: Callable[[], None], period: float) -> Iterator[None]:
    """While the block runs, with that many seconds between; what fails is tried again."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            with suppress(Exception):  # what is away for the moment will be there the next time
                action()
            ended.wait(period)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
