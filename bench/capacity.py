"""How many hosts, balancer units and dollars a rate of requests takes: `make capacity`. Pure, but for the document.

Prints the tables of docs/capacity.md; --write puts them there.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import NamedTuple

from audit.cost.pricelist import HOURS, tiered
from audit.cost.usage import ANSWER, REQUEST, capacity_units, gigabytes
from bench import prices
from bench.prices import ALB, NLB, Balancer, HostType
from bench.tables import table

DOCUMENT = Path(__file__).parent.parent / "docs/capacity.md"

# Measured. `make drill slow-hosts`: a pair of hosts with 0.2 CPU each answers 700 requests a second without an error.
CPU_SECONDS = 2 * 0.2 / 700  # of a host, for one request, with all that kernel and Docker do for it

# Decided.
BUSY = 0.7  # of the CPUs that a host may use for ever: what is left is for peaks, health checks and the system


class Clients(NamedTuple):
    """How clients use connections: requests on each, and seconds that it is open."""

    requests: float
    seconds: float


KEPT = Clients(100, 1_000)  # ask every ten seconds, and keep their connection
ONCE = Clients(1, 0.2)  # a new connection for each request, as curl does it
PERIOD = KEPT.seconds / KEPT.requests  # from one question of a client to its next
NTP_PERIOD = 64  # seconds, the least that well-behaved NTP clients start with
NTP_PACKET = 76  # bytes, with UDP and IP
NTP_RATE = 3 / 16  # packets a second of a host: two processes and its chronyd ask every 16 s each


class Step(NamedTuple):
    """A rate, and the choices that are made for it."""

    rate: int  # requests a second
    regions: int
    zones: int  # in each Region
    type: HostType

    @property
    def hosts(self) -> int:
        """In each Region: its zones alike, and enough when a zone is gone, or (not at once) a whole Region."""
        zone_gone = fewest(self.rate / self.regions, self.type, self.zones - 1)
        region_gone = (
            fewest(self.rate / (self.regions - 1), self.type, self.zones) if self.regions > 1 else 0
        )
        return max(zone_gone, region_gone) * self.zones

    def busy(self, zones: int) -> float:
        """The share of their CPUs that the hosts in so many zones of each Region use."""
        hosts = self.regions * self.hosts * zones / self.zones
        return self.rate * CPU_SECONDS / (hosts * self.type.cpus)


def by_name(name: str) -> HostType:
    return next(one for one in prices.HOST_TYPES if one.name == name)


STEPS = [
    Step(1_000, 1, 2, by_name("t3.micro")),
    Step(10_000, 1, 2, by_name("c7i.large")),
    Step(100_000, 1, 3, by_name("c7i.2xlarge")),
    Step(1_000_000, 3, 3, by_name("c7i.4xlarge")),
]


def serves(type: HostType) -> float:
    """Requests a second that are planned for one such host."""
    return type.cpus * BUSY / CPU_SECONDS


def fewest(rate: float, type: HostType, zones: int) -> int:
    """Hosts in each of so many zones that together serve the rate."""
    return ceil(rate / serves(type) / zones)


def units(rate: float, clients: Clients, of: Balancer) -> float:
    """A balancer's capacity units. (Its rules are few enough to be free.)"""
    return capacity_units(
        of.carries,
        rate,
        size=REQUEST + ANSWER,
        per_connection=clients.requests,
        seconds=clients.seconds,
    )


# Dollars in an hour


def hosts_cost(step: Step) -> float:
    return step.regions * step.hosts * (step.type.price + prices.VOLUME)


def fixed_cost(step: Step) -> float:
    """Balancers and their addresses, at least one for each zone."""
    return step.regions * (ALB.hour + step.zones * prices.ADDRESS)


def units_cost(step: Step, clients: Clients, of: Balancer) -> float:
    return units(step.rate, clients, of) * of.unit


def transfer_cost(rate: float, size: float) -> float:
    return tiered(gigabytes(rate, size) * HOURS, prices.TRANSFER) / HOURS


def cost(step: Step, clients: Clients = KEPT) -> float:
    return (
        hosts_cost(step)
        + fixed_cost(step)
        + units_cost(step, clients, ALB)
        + transfer_cost(step.rate, ANSWER)
    )


def accelerator_cost(rate: float) -> float:
    """What Global Accelerator costs on top."""
    return prices.ACCELERATOR_HOUR + gigabytes(rate, ANSWER) * prices.ACCELERATOR_GIGABYTE


def edge_cost(rate: float) -> float:
    """CloudFront with a function that answers, instead of all."""
    transfer = tiered(gigabytes(rate, ANSWER) * HOURS, prices.EDGE_TRANSFER) / HOURS
    return rate * 3_600 * (prices.EDGE_REQUEST + prices.EDGE_FUNCTION) + transfer


# Tables


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


def new_connections() -> float:
    """In a second, from one node of the balancer to one host, if each carried one request only."""
    return prices.PORTS / prices.TIME_WAIT


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
