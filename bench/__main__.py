"""Measure the service's speed and the healthcheck's accuracy: `python -m bench [NAME]`.

NAME is speed, accuracy or coverage. Without a name, all run, in about 30 minutes. Exit code 1 if
the service fails a request, or if a bound or a verdict of the healthcheck is wrong. A low speed
is no failure, because it depends on the machine.
"""

import argparse
import sys
from collections.abc import Sequence

from docker.errors import DockerException

from bench import accuracy, coverage, speed
from deployment.errors import UserError
from local.machine import machine

BENCHES = {
    "speed": speed.measure,
    "accuracy": accuracy.measure,
    "coverage": coverage.measure,
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", choices=BENCHES)
    name = parser.parse_args(argv).name
    print(f"Measured on {machine()}.")
    try:
        held = [measure() for key, measure in BENCHES.items() if name in (None, key)]
    except (UserError, DockerException, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
