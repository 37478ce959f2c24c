"""How many requests a host answers, beside Flask's development server and nginx with a fixed string.

`make bench`. Each has a t3.micro's CPUs and memory, then its baseline. wrk asks over kept connections, and again
as soon as it has an answer: that is right for how many there are, but its latency is that of a server which is never
idle, and says nothing of one that is. wrk shares this machine's CPUs with them, so the CPU time of a request is the
fairer figure, and the one that carries over to a t3.micro (without a part of the kernel's networking, which no
container is charged for).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import wrk
from bench.contenders import DEVELOPMENT_SERVER, FIXED, SERVICE, contenders
from bench.goals import Goal
from bench.tables import table, targets
from bench.wrk import Load
from local.machine import machine

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "build/bench-speed.json"
WARM_UP = 1  # seconds before what counts
SIZES = {"t3.micro, 2 CPU": 2.0, "at its baseline, 0.2 CPU": 0.2}
JSON, TEXT = "/now", "/now?format=text"
RUNS = [(SERVICE, JSON), (SERVICE, TEXT), (DEVELOPMENT_SERVER, JSON), (FIXED, JSON)]
TIMES = 4  # the development server's requests per second
SHARE = 1 / 4  # of nginx's


class Round(NamedTuple):
    """One contender under load once. cpu: seconds for a request; rest, loaded: its memory in MiB, before any load
    and right after this one."""

    size: str
    name: str
    path: str
    load: Load
    cpu: float
    rest: float
    loaded: float


class Line(NamedTuple):
    """The medians of all rounds of one contender on one path; units as above, `failed` in all rounds."""

    size: str
    name: str
    path: str
    rate: float
    p50: float
    p99: float
    cpu: float
    rest: float
    loaded: float
    failed: int


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="that a load lasts")
    options = parser.parse_args(argv)
    wrk.require()
    rounds = [one for size in SIZES for one in measured(size, options.rounds, options.seconds)]
    lines = list(medians(rounds))
    found = goals(lines)
    print(f"Measured on {machine()}; medians of {options.rounds} rounds.")
    for size in SIZES:
        print(f"\n{size}\n\n{shown(line for line in lines if line.size == size)}")
    print(f"\nTargets\n\n{targets(found)}")
    kept = {"rounds": [one._asdict() | {"load": one.load._asdict()} for one in rounds]}
    kept |= {"medians": [one._asdict() for one in lines], "goals": [one._asdict() for one in found]}
    RESULTS.write_text(json.dumps(kept, indent=1))
    return 0


def measured(size: str, rounds: int, seconds: int) -> Iterator[Round]:
    """One after the other, again and again, so that whatever else this machine does meets all of them."""
    with contenders(SIZES[size]) as ready:
        named = {one.name: one for one in ready}
        rests = {one.name: one.used().memory for one in ready}
        for number in range(rounds):
            for name, path in RUNS:
                say(f"{size}, round {number + 1} of {rounds}: {name}, {path}")
                wrk.run(named[name].url + path, WARM_UP)
                before = named[name].used()
                load = wrk.run(named[name].url + path, seconds)
                after = named[name].used()
                cpu = (after.cpu - before.cpu) / load.requests
                yield Round(size, name, path, load, cpu, rests[name], after.memory)


def medians(rounds: Sequence[Round]) -> Iterator[Line]:
    for size, name, path in dict.fromkeys(one[:3] for one in rounds):
        mine = [one for one in rounds if one[:3] == (size, name, path)]
        yield Line(
            size,
            name,
            path,
            median(one.load.rate for one in mine),
            median(one.load.p50 for one in mine),
            median(one.load.p99 for one in mine),
            median(one.cpu for one in mine),
            median(one.rest for one in mine),
            median(one.loaded for one in mine),
            sum(one.load.failed for one in mine),
        )


def goals(lines: Sequence[Line]) -> list[Goal]:
    """For each size: the service's JSON, which does the most, against both others."""
    found = []
    for size in dict.fromkeys(line.size for line in lines):
        rates = {line.name: line.rate for line in lines if line.size == size and line.path == JSON}
        times, share = (rates[SERVICE] / rates[one] for one in (DEVELOPMENT_SERVER, FIXED))
        found += [
            Goal(
                f"{size}: requests, times the development server's",
                f"{TIMES} at least",
                f"{times:.1f}",
                times >= TIMES,
            ),
            Goal(
                f"{size}: requests, share of nginx's",
                f"{SHARE:.0%} at least",
                f"{share:.1%}",
                share >= SHARE,
            ),
        ]
    return found


def shown(lines: Iterable[Line]) -> str:
    head = ["", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "MiB at rest", "MiB after load"]
    return table(
        [*head, "failed"],
        (
            [
                f"{line.name}, `{line.path}`",
                f"{line.rate:,.0f}",
                f"{line.p50 * 1e3:.1f}",
                f"{line.p99 * 1e3:.1f}",
                f"{line.cpu * 1e6:.0f}",
                f"{line.rest:.0f}",
                f"{line.loaded:.0f}",
                str(line.failed),
            ]
            for line in lines
        ),
    )


def say(progress: str) -> None:
    print(f"  {progress}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
