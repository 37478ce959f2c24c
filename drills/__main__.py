"""Run drills, and report what came of them: `make drill`, or `make drill NAME ...`.

They run on a deployment of their own in the local cloud, which is removed at the end.
Results are in build/drills: drills.json, and a picture and a JSON file of each drill.
The file log there has the output of each make.
Exit codes: 0 all drills held, 1 some did not, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from deployment.errors import UserError
from drills import outcome
from drills.clone import Clone
from drills.picture import draw
from drills.runner import DRILLS, RESULTS, deploy_clone, run_drill
from drills.trial import Drill
from local.machine import machine
from local.steps import step


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m drills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a drill; by default, all of them")
    parser.add_argument("--list", action="store_true", help="list the drills and what they break")
    parser.add_argument(
        "--again", action="store_true", help="report the last result of each drill again"
    )
    options = parser.parse_args(argv)
    unknown = [name for name in options.names if name not in DRILLS]
    if unknown:
        parser.error(f"there is no drill {unknown[0]!r}; there are: {', '.join(DRILLS)}")
    if options.list:
        for drill in DRILLS.values():
            print(f"{drill.name:<24} {drill.what}")
        return 0
    try:
        if options.again:
            return report(load_results())
        with deploy_clone() as clone:
            names = options.names or DRILLS
            return report([run_and_report(DRILLS[name], clone) for name in names])
    except UserError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped half-way.", file=sys.stderr)
        return 130


def run_and_report(drill: Drill, clone: Clone) -> dict[str, Any]:
    """Run a drill, print a line, and write its picture and its summary."""
    with step(drill.name) as line:
        result = run_drill(drill, clone)
        line.outcome = "held" if result.holds else "failed"
    for broken in result.broken:
        print(f"    does not hold: {broken}", flush=True)
    draw(result, RESULTS / f"{drill.name}.svg")
    summary = result.summary()
    (RESULTS / f"{drill.name}.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def load_results() -> list[dict[str, Any]]:
    """The summary of the last run of each drill; raises UserError if none has run."""
    files = [RESULTS / f"{name}.json" for name in DRILLS]
    summaries = [json.loads(file.read_text()) for file in files if file.exists()]
    if not summaries:
        raise UserError("no drill has run in this clone; run make drill first")
    return summaries


def report(summaries: Sequence[dict[str, Any]]) -> int:
    """Print the table of these drills, and write it as JSON; returns the exit code."""
    results = {"machine": machine(), "drills": summaries}
    (RESULTS / "drills.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nDrilled on {machine()}.\n\n{outcome.table(summaries)}\n")
    for summary in summaries:
        for note in summary["notes"]:
            print(f"{summary['drill']}: {note}")
    held = sum(summary["held"] for summary in summaries)
    print(f"\n{held} of {len(summaries)} drills held")
    return 0 if held == len(summaries) else 1


if __name__ == "__main__":
    raise SystemExit(main())
