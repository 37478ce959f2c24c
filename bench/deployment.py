"""Times what a newcomer waits for, in a fresh clone, and says on which machine: `make bench`.

The figures are of one run each, and include downloads: they tell the order of things, not milliseconds.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from drills.clone import Clone, committed
from local.machine import machine


def timed(clone: Clone, target: str) -> float:
    """Seconds that `make TARGET` takes; ends the run with its output if it fails."""
    began = time.monotonic()
    done = clone.make(target)
    if done.status:
        raise SystemExit(f"{done.output}\nerror: make {target} failed in {clone.folder}")
    return time.monotonic() - began


def main() -> int:
    argparse.ArgumentParser(prog="python -m bench.deployment", description=__doc__).parse_args()
    engine = "a Docker engine was there" if shutil.which("dockerd") else "without Docker"
    rows: list[tuple[str, float, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        clone = Clone(Path(folder) / "clone", "bench", committed, say=lambda _: None)
        try:
            for target, what, goal in (
                ("up", f"make up, fresh clone ({engine})", "240 s"),
                ("up", "make up again, nothing to change", ""),
                ("down", "make down", ""),
                ("up", "make up, warm (images and packages are there)", "45 s"),
                ("unit", "make unit, its first time (fetches what tests use)", ""),
                ("unit", "make unit", "60 s"),
            ):
                print(f"  {what} ...", file=sys.stderr, flush=True)
                rows.append((what, timed(clone, target), goal))
        finally:
            timed(clone, "down")
            timed(clone, "clean")
    print(f"Measured on {machine()}.\n")
    print(f"| {'what':<50} | seconds | goal  |\n|{'-' * 52}|--------:|-------|")
    for what, seconds, goal in rows:
        print(f"| {what:<50} | {seconds:>7.1f} | {goal:<5} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
