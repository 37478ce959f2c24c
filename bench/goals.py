"""What the healthcheck has to keep to, and whether it did. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.memory import Usage
from bench.paths import Path
from bench.trials import Trial

TRIALS = 1_000
OVERHEAD = 0.005  # seconds by which a bound may exceed half of the path's round trip
NEARLY_ALL = 0.99  # of the trials; in the others this machine itself may have been late
GOOD = 0.3  # seconds; a clock with no more error than that is proven right quickly
REQUESTS = 2
GROWTH = 1_024  # KiB that all checks after the first thousand may leave behind


class Goal(NamedTuple):
    """A target, what was found, and whether it held."""

    what: str
    target: str
    found: str
    held: bool


def goals(paths: Sequence[Path], trials: Sequence[Trial], usages: Sequence[Usage]) -> list[Goal]:
    """All of them; for the bound and the number of requests the quiet paths count."""
    rtt = {path.name: path.rtt for path in paths if path.quiet}
    claims = [one.claim for one in trials if one.claim]
    inside = sum(one.inside for one in trials)
    wrong = sum(one.outcome == "wrong" for one in trials)
    quiet = [one for one in trials if one.path in rtt]
    over = sorted(one.claim.half_width - rtt[one.path] / 2 for one in quiet if one.claim)
    nearly_all = over[math.ceil(len(over) * NEARLY_ALL) - 1]
    requests = [one.requests for one in quiet if abs(one.draw.error) <= GOOD]
    growth = usages[-1].memory - usages[0].memory
    return [
        Goal(
            "truth inside the bound",
            f"all of {TRIALS:,} trials or more",
            f"{inside:,} of {len(claims):,}",
            inside == len(claims) >= TRIALS,
        ),
        Goal("wrong verdicts", "0", f"{wrong}", wrong == 0),
        Goal(
            f"bound, in 99 of 100 of {len(over):,} trials on quiet paths",
            f"RTT/2 + {OVERHEAD * 1e3:.0f} ms",
            f"RTT/2 + {nearly_all * 1e3:.1f} ms (in all: {over[-1] * 1e3:.1f} ms)",
            nearly_all <= OVERHEAD,
        ),
        Goal(
            f"requests, in {len(requests):,} trials on quiet paths with a clock within {GOOD} s",
            f"{REQUESTS} at most",
            f"{max(requests)} at most",
            max(requests) <= REQUESTS,
        ),
        Goal(
            f"memory, {usages[0].checks:,} to {usages[-1].checks:,} checks",
            f"less than {GROWTH:,} KiB more",
            f"{growth:,} KiB more",
            growth < GROWTH,
        ),
    ]
