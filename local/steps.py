"""Step lines: what is being done, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class CloudError(Exception):
    """Something that the person at the keyboard can mend; its text says what is wrong and what to do."""


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
