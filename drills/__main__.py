"""Plays drills, and tells what came of them: `make drill`, or `make drill NAME ...`.

Each plays on one deployment in the local cloud, which is brought up first and removed at the end, beside what is up.
Results are in build/drills: drills.json, a picture and a JSON file of each drill, and what each make printed (log).
Exit codes: 0 all held, 1 some did not, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from deployment.errors import UserError
from drills import outcome
from drills.catalogue import DRILLS
from drills.clone import Clone
from drills.picture import draw
from drills.registry import Drill
from drills.stage import RESULTS, play, stage
from local.machine import machine
from local.steps import step


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m drills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="of a drill; all of them by default"
    )
    parser.add_argument("--list", action="store_true", help="tell the drills and what they break")
    parser.add_argument(
        "--again", action="store_true", help="tell what the last run of each drill said"
    )
    options = parser.parse_args(argv)
    if options.again:
        return report(kept())
    if options.list:
        for drill in DRILLS.values():
            print(f"{drill.name:<24} {drill.what}")
        return 0
    if unknown := [name for name in options.names if name not in DRILLS]:
        parser.error(f"there is no drill {unknown[0]!r}; there are: {', '.join(DRILLS)}")
    try:
        with stage() as clone:
            return report([played(DRILLS[name], clone) for name in options.names or DRILLS])
    except UserError as trouble:
        print(f"\nerror: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped half-way.", file=sys.stderr)
        return 130


def played(drill: Drill, clone: Clone) -> dict[str, Any]:
    """One drill, from a healthy pair on, in a line and a picture."""
    with step(drill.name) as line:
        result = play(drill, clone)
        line.outcome = "held" if result.held else "failed"
    for broken in result.broken:
        print(f"    does not hold: {broken}", flush=True)
    draw(result, RESULTS / f"{drill.name}.svg")
    summary = result.summary()
    (RESULTS / f"{drill.name}.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def report(summaries: Sequence[dict[str, Any]]) -> int:
    (RESULTS / "drills.json").write_text(
        json.dumps({"machine": machine(), "drills": summaries}, indent=1) + "\n"
    )
    print(f"\nDrilled on {machine()}.\n\n{outcome.table(summaries)}\n")
    for one in summaries:
        for note in one["notes"]:
            print(f"{one['drill']}: {note}")
    held = sum(one["held"] for one in summaries)
    print(f"\n{held} of {len(summaries)} drills held")
    return 0 if held == len(summaries) else 1


def kept() -> list[dict[str, Any]]:
    """What the last run of each drill said."""
    files = [RESULTS / f"{name}.json" for name in DRILLS]
    return [json.loads(file.read_text()) for file in files if file.exists()]


if __name__ == "__main__":
    raise SystemExit(main())
