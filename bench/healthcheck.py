"""How well the healthcheck measures: `make bench`.

It checks services of known error over paths of known delay, asymmetry, jitter and loss. Exit code 1
if a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path as File

from bench import tables
from bench.goals import Goal, goals
from bench.memory import Usage, measured
from bench.paths import Path
from bench.trials import Trial, trial
from local.machine import machine

ROOT = File(__file__).parent.parent
RESULTS = ROOT / "build/bench-healthcheck.json"
PATHS = [
    Path("loopback", 0.0, 0.0),
    Path("LAN", 0.0005, 0.0005),
    Path("20/20", 0.020, 0.020),
    Path("50/50", 0.050, 0.050),
    Path("10/190", 0.010, 0.190),
    Path("190/10", 0.190, 0.010),
    Path("300/300", 0.300, 0.300),
    Path("20/20, NTP 0-30 each way", 0.020, 0.020, ntp=0.030),
    Path("20/20, jitter 30", 0.020, 0.020, jitter=0.030, ntp=0.010),
    Path("20/20, loss 2 %", 0.020, 0.020, loss=0.02, ntp=0.010),
    Path("50/50, loss 5 %", 0.050, 0.050, loss=0.05, ntp=0.010),
    Path("10/60, jitter 20, loss 3 %", 0.010, 0.060, jitter=0.020, loss=0.03, ntp=0.030),
]
AT_A_TIME = 8  # nearly all of a trial is waiting
PERIOD = 10.0  # seconds between two words of progress

Job = Callable[[], Trial]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.healthcheck", description=__doc__)
    parser.add_argument("--trials", type=int, default=1320, help="on all paths together")
    parser.add_argument("--seed", type=int, default=1, help="another one draws other trials")
    options = parser.parse_args(argv)
    each = -(-options.trials // len(PATHS))
    trials = sorted(run(jobs(each, options.seed)))
    say("memory: 10,000 checks one after the other")
    usages = list(measured())
    reached = goals(PATHS, trials, usages)
    print(f"Measured on {machine()}.")
    for title, table in (
        ("The healthcheck (ms)", tables.ours(PATHS, trials)),
        ("A process that checks again and again", tables.memory(usages)),
        ("Targets", tables.targets(reached)),
    ):
        print(f"\n{title}\n\n{table}")
    keep(trials=trials, memory=usages, goals=reached)
    return 0 if all(one.held for one in reached) else 1


def keep(**parts: Sequence[Trial | Usage | Goal]) -> None:
    """In a file, for programs."""
    found = {name: [one._asdict() for one in part] for name, part in parts.items()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1))


def jobs(each: int, seed: int) -> list[Job]:
    """In any order, so that no path has the machine for itself."""
    todo: list[Job] = [
        functools.partial(trial, path, f"{seed}: {path.name}: {number}")
        for path in PATHS
        for number in range(each)
    ]
    random.Random(seed).shuffle(todo)
    return todo


def run(todo: list[Job]) -> Iterator[Trial]:
    """Several at a time, in processes, so that none has to wait for another's Python."""
    start = told = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_A_TIME, context, prepare) as pool:
        waiting = [pool.submit(job) for job in todo]
        for number, one in enumerate(as_completed(waiting), 1):
            yield one.result()
            if time.monotonic() - told > PERIOD or number == len(todo):
                told = time.monotonic()
                say(f"{number:,} of {len(todo):,} runs, {told - start:.0f} s")


def prepare() -> None:
    """A process for measuring, in which nothing else happens meanwhile."""
    gc.freeze()  # what has been imported: to look through it takes 15 ms
    with contextlib.suppress(OSError):  # not root; then whatever else runs here counts against us
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def say(progress: str) -> None:
    print(f"  {progress}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
