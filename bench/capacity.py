"""How many hosts, balancer units and dollars a rate of requests takes: `python -m bench.capacity`.

Prints the tables of docs/capacity.md; --write puts them there.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from bench import prices
from bench.prices import ALB, NLB
from bench.sizing import (
    KEPT,
    NTP_PACKET,
    NTP_PERIOD,
    NTP_RATE,
    ONCE,
    PERIOD,
    STEPS,
    accelerator_cost,
    cost,
    edge_cost,
    fixed_cost,
    hosts_cost,
    new_connections,
    serves,
    transfer_cost,
    units,
    units_cost,
)
from bench.tables import table
from ops.cost.pricelist import HOURS
from ops.cost.usage import ANSWER

DOCUMENT = Path(__file__).parent.parent / "docs/capacity.md"


def tables() -> list[str]:
    """All of the document's, in its order."""
    return [one_host(), what_it_takes(), what_it_costs(), limits(), elsewhere()]


def one_host() -> str:
    head = ["type", "CPUs for ever", "requests/s", "$ an hour", "$ an hour for 1,000/s"]
    return table(
        head,
        [
            [
                one.name,
                f"{one.cpus:g}",
                f"{serves(one):,.0f}",
                f"{one.price:g}",
                f"{one.price / serves(one) * 1_000:.3f}",
            ]
            for one in prices.HOST_TYPES
        ],
    )


def what_it_takes() -> str:
    head = ["requests/s", "Regions x zones", "hosts", "CPU busy", "a zone gone"]
    head += ["LCUs, kept", "LCUs, once", "NLCUs, once"]
    return table(
        head,
        [
            [
                f"{step.rate:,}",
                f"{step.regions} x {step.zones}",
                f"{step.regions * step.hosts} {step.type.name}",
                f"{step.busy(step.zones):.0%}",
                f"{step.busy(step.zones - 1):.0%}",
                f"{units(step.rate, KEPT, ALB):,.0f}",
                f"{units(step.rate, ONCE, ALB):,.0f}",
                f"{units(step.rate, ONCE, NLB):,.0f}",
            ]
            for step in STEPS
        ],
    )


def what_it_costs() -> str:
    head = ["requests/s", "hosts", "balancer", "LCUs, kept", "data out", "$ an hour", "$ a month"]
    head += ["$ for a million"]
    return table(
        head,
        [
            [
                f"{step.rate:,}",
                dollars(hosts_cost(step)),
                dollars(fixed_cost(step)),
                dollars(units_cost(step, KEPT, ALB)),
                dollars(transfer_cost(step.rate, ANSWER)),
                dollars(cost(step)),
                f"{cost(step) * HOURS:,.0f}",
                f"{cost(step) / step.rate / 3_600 * 1e6:.3f}",
            ]
            for step in STEPS
        ],
    )


def elsewhere() -> str:
    head = ["$ a month at requests/s", *(f"{step.rate:,}" for step in STEPS)]
    rows = {
        "this design, connections kept": [cost(step) for step in STEPS],
        "this design, one for each request": [cost(step, ONCE) for step in STEPS],
        "the same with an NLB": [
            cost(step, ONCE) - units_cost(step, ONCE, ALB) + units_cost(step, ONCE, NLB)
            for step in STEPS
        ],
        "Global Accelerator, on top": [accelerator_cost(step.rate) for step in STEPS],
        "CloudFront with a function, instead": [edge_cost(step.rate) for step in STEPS],
        "data out alone": [transfer_cost(step.rate, ANSWER) for step in STEPS],
        "data out, if the machines asked by NTP": [
            transfer_cost(step.rate * PERIOD / NTP_PERIOD, NTP_PACKET) for step in STEPS
        ],
    }
    return table(
        head, [[what, *(f"{one * HOURS:,.0f}" for one in costs)] for what, costs in rows.items()]
    )


def limits() -> str:
    """What each thing carries at most, and how far from that the steps are; in one Region."""
    head = ["limit", "allows", *(f"{step.rate:,}/s" for step in STEPS)]
    regional = [step.rate / step.regions for step in STEPS]
    return table(
        head,
        [
            ["targets of one ALB (quota)", f"{prices.MOST_TARGETS:,}"]
            + [f"{step.hosts}" for step in STEPS],
            ["LCUs reserved for one ALB (quota), kept", f"{prices.MOST_UNITS:,}"]
            + [f"{units(rate, KEPT, ALB):,.0f}" for rate in regional],
            ["the same, a connection for each request", f"{prices.MOST_UNITS:,}"]
            + [f"{units(rate, ONCE, ALB):,.0f}" for rate in regional],
            ["new connections/s, one node to one host", f"{new_connections():,.0f}"]
            + [f"{rate / step.hosts:,.0f}" for rate, step in zip(regional, STEPS, strict=True)],
            ["packets/s to Time Sync, one host", f"{prices.LINK_LOCAL:,}"]
            + [f"{NTP_RATE:g}"] * len(STEPS),
        ],
    )


def dollars(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


def renewed(document: str) -> str:
    """The document with its tables, in their order, replaced by those of now."""
    fresh: Iterator[str] = iter(tables())
    return re.sub(r"(?m)(?:^\|.*\n)+", lambda _: next(fresh) + "\n", document)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into docs/{DOCUMENT.name}")
    if parser.parse_args().write:
        DOCUMENT.write_text(renewed(DOCUMENT.read_text()))
    print("\n\n".join(tables()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
