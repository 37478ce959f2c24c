"""How a run tells and waits: step lines with what is being done and how long it took, locks, deadlines."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deployment.errors import UserError


class Step:
    """An open step line; set `outcome` to what the line shall end with."""

    outcome = ""


@contextmanager
def step(text: str) -> Iterator[Step]:
    """Print `text`, and when the block ends, its time in seconds and outcome (`failed` if it raised)."""
    print(f"  {text:<58} ", end="", flush=True)
    start = time.monotonic()
    line = Step()
    try:
        yield line
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:6.1f} s  {line.outcome}".rstrip(), flush=True)


@contextmanager
def alone(file: Path, busy: UserError) -> Iterator[None]:
    """Hold a lock on the file while the block runs; raises `busy` if another process holds it."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield


def until(done: Callable[[], object], seconds: float) -> bool:
    """Look again and again; returns whether it was done within that time."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
