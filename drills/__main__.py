"""Run drills, and report their results: `make drill`, or `make drill NAME ...`.

They run on a deployment of their own in the local cloud, which is removed at the end.
build/drills/log has the output of each make.
Exit codes: 0 all drills held, 1 some did not, 2 wrong usage, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

from deployment.errors import UserError
from drills import outcome
from drills.clone import Clone
from drills.runner import DRILLS, deploy_clone, run_drill
from local.containers import Containers
from local.hosts import format_boots
from local.machine import machine
from local.steps import step


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m drills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a drill; by default, all of them")
    parser.add_argument("--check", action="store_true", help="only check the names")
    args = parser.parse_args(argv)
    names = args.names or list(DRILLS)
    unknown = [name for name in names if name not in DRILLS]
    if unknown:
        parser.error(f"there is no drill {unknown[0]!r}; there are: {', '.join(DRILLS)}")
    if args.check:
        return 0
    try:
        with deploy_clone() as clone:
            return run_and_report(names, clone)
    except UserError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped half-way.", file=sys.stderr)
        return 130


def run_and_report(names: Sequence[str], clone: Clone) -> int:
    """Run drills, and print a line for each and a table. Return the exit code."""
    # Keep the rows and not the results: the requests of all drills take hundreds of megabytes.
    rows: list[str] = []
    notes: list[str] = []
    held = 0
    for name in names:
        with step(name, lambda: format_boots(Containers(clone.name))) as line:
            result = run_drill(DRILLS[name], clone)
            line.outcome = "held" if result.holds else "failed"
        for broken in result.broken:
            print(f"    does not hold: {broken}", flush=True)
        rows.append(outcome.format_row(result))
        notes += [f"{name}: {note}" for note in result.notes]
        held += result.holds
    print(f"\nDrilled on {machine()}.\n", outcome.HEAD, *rows, "", *notes, sep="\n")
    print(f"\n{held} of {len(names)} drills held")
    return 0 if held == len(names) else 1


if __name__ == "__main__":
    raise SystemExit(main())
