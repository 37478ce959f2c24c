"""What the Internet reaches of a deployment, and what its hosts reach, computed from what the AWS API says.

    python -m ops.reach [--stack STACK] [--name NAME]     (make reach)

Exit codes: 0 the load balancer's port 80 is reachable over IPv4, and nothing else, or near to be; 1 something else is
reachable, or a wall that keeps it closed is missing: it is named; 2 wrong usage; 3 there is no such deployment, or it
cannot be read.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from ops.reach import policies
from ops.reach.egress import Egress, egress
from ops.reach.ingress import Ingress, ingress
from ops.reach.state import State, read
from ops.reach.weaknesses import weaknesses
from ops.target import get_target, run

Rows = list[tuple[tuple[str, ...], str]]  # cells, and the reason


class Reach(NamedTuple):
    ingress: list[Ingress]
    egress: list[Egress]
    weaknesses: list[str]

    @property
    def wrong(self) -> list[str]:
        """Sentences about what is not as it shall be; [] if exactly the balancer's port 80 is reachable."""
        right = [door for door in self.ingress if _right(door)]
        others = [door for door in self.ingress if not _right(door)] + right[1:]
        return [
            *([] if right else ["the load balancer's port 80 is not reachable over IPv4"]),
            *(f"{one.name} is reachable: {one.port} over {one.over}" for one in others),
            *self.weaknesses,
        ]


def _right(door: Ingress) -> bool:
    return door.name.startswith("load balancer ") and (door.over, door.port) == ("IPv4", "tcp 80")


def reach(state: State) -> Reach:
    found = [*ingress(state), *policies.ingress(state)]
    return Reach(found, egress(state), weaknesses(state, found))


def report(found: Reach) -> str:
    reached: Rows = [((one.name, one.over, one.port), one.because) for one in found.ingress]
    left: Rows = [((one.name, one.port, one.to), one.because) for one in found.egress]
    verdict = [f"WRONG: {one}" for one in found.wrong]
    return "\n".join(
        [
            *_table("Reachable from the Internet (0.0.0.0/0 and ::/0)", reached),
            *_table("Reachable from hosts", left),
            *(verdict or ["OK: the load balancer's port 80 over IPv4, and nothing else"]),
        ]
    )


def _table(title: str, rows: Rows) -> list[str]:
    """Each row with its reason below it."""
    widths = [max(map(len, column)) for column in zip(*(row for row, _ in rows), strict=True)]
    lines = [f"{title}:"]
    for row, because in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines += ["  " + "  ".join(cells).rstrip(), f"      {because}"]
    return [*lines, *([] if rows else ["  nothing"]), ""]


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.reach", __doc__, argv, print_reach)


def print_reach(args: argparse.Namespace) -> int:
    found = reach(read(get_target(args)))
    print(report(found))
    return 1 if found.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
