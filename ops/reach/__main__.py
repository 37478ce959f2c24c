"""Compute what the Internet reaches of a deployment: `python -m ops.reach` (make reach).

It reads the deployment's network and policies from the AWS API, and also prints what hosts reach.

Exit codes: 0 the Internet reaches the load balancer's port 80 over IPv4, and nothing else; 1 it
reaches something else, or a control that would keep it closed is missing; 2 wrong usage; 3 there
is no such deployment, or it cannot be read.
"""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from ops.reach.ingress import Ingress, find_ingress, list_nodes
from ops.reach.state import State, read_state
from ops.reach.weaknesses import find_weaknesses, list_egress
from ops.target import get_target, run


class Reach(NamedTuple):
    """egress: the ports and peers that hosts may send to."""

    ingress: list[Ingress]
    egress: list[tuple[str, str]]
    weaknesses: list[str]

    @property
    def problems(self) -> list[str]:
        """Return sentences, or [] if exactly the balancer's port 80 is reachable."""
        expected = [
            item
            for item in self.ingress
            if item.name.startswith("load balancer ") and item[1:3] == ("IPv4", "tcp 80")
        ][:1]
        problems = [
            f"{item.name} is reachable: {item.port} over {item.over}"
            for item in self.ingress
            if item not in expected
        ]
        if not expected:
            problems.append("no load balancer is reachable on port 80 alone over IPv4")
        return problems + self.weaknesses


def compute_reach(state: State) -> Reach:
    hosts = [node for node in list_nodes(state) if node.is_host]
    egress = {item for node in hosts for item in list_egress(state, node)}
    return Reach(find_ingress(state), sorted(egress), find_weaknesses(state))


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.reach", __doc__, argv, print_reach)


def print_reach(args: argparse.Namespace) -> int:
    reach = compute_reach(read_state(get_target(args)))
    print(format_report(reach))
    return 1 if reach.problems else 0


def format_report(reach: Reach) -> str:
    lines = ["Reachable from the Internet (0.0.0.0/0 and ::/0):"]
    for item in reach.ingress:
        lines += [f"  {item.name}  {item.over}  {item.port}", f"      {item.reason}"]
    lines += ["", "Reachable from hosts:"]
    lines += [f"  {' '.join(item)}" for item in reach.egress]
    lines.append("")
    if not reach.problems:
        lines.append("OK: the load balancer's port 80 over IPv4, and nothing else")
    return "\n".join([*lines, *(f"WRONG: {problem}" for problem in reach.problems)])


if __name__ == "__main__":
    raise SystemExit(main())
