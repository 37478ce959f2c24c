"""The tables of docs/capacity.md follow from the sums and prices that the page states."""

from __future__ import annotations

import re
from math import ceil
from typing import NamedTuple

import pytest

from deployment import ROOT
from drills.hosts import SLOW
from ops.cost import ROWS
from tests.support.templates import TEMPLATES

PAGE = (ROOT / "docs/capacity.md").read_text()
CELLS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|")
]
# Of a host, for a request, as the drill `burst` measured it.
CPU_SECONDS = 397e-6
TYPES = {
    "t4g.micro": (0.2, 0.0084),
    "t3.micro": (0.2, 0.0104),
    "t3.small": (0.4, 0.0208),
    "c7i.large": (2, 0.08925),
    "c7i.2xlarge": (8, 0.357),
    "c7i.4xlarge": (16, 0.714),
}
TRANSFER = [(100, 0.0), (10_340, 0.09), (51_300, 0.085), (153_700, 0.07), (1e12, 0.05)]
EDGE = [
    (1_024, 0.0),
    (10_240, 0.085),
    (51_200, 0.08),
    (153_600, 0.06),
    (512_000, 0.04),
    (1_048_576, 0.03),
    (5_242_880, 0.025),
    (1e12, 0.02),
]


class Step(NamedTuple):
    rate: int
    regions: int
    zones: int
    type: str

    @property
    def hosts(self) -> int:
        """Return the hosts of each Region."""
        share = self.rate / self.regions / plan(self.type)
        in_zone = ceil(share / (self.zones - 1))
        if self.regions > 1:
            left = self.rate / (self.regions - 1) / plan(self.type)
            in_zone = max(in_zone, ceil(left / self.zones))
        return in_zone * self.zones


STEPS = [
    Step(1_000, 1, 2, "t3.micro"),
    Step(10_000, 1, 2, "c7i.large"),
    Step(100_000, 1, 3, "c7i.2xlarge"),
    Step(1_000_000, 3, 3, "c7i.4xlarge"),
]


def plan(type: str) -> float:
    return TYPES[type][0] * 0.7 / CPU_SECONDS


def gigabytes(rate: float, size: int) -> float:
    """Return the gigabytes of an hour."""
    return rate * size * 3_600 / 1e9


def units(rate: float, connections: float, seconds: float, carries: tuple[int, int]) -> float:
    """connections: new ones in a second. seconds: how long each stays open."""
    new, active = carries
    return max(connections / new, connections * seconds / active, gigabytes(rate, 805))


def lcus_of_kept_connections(rate: float) -> float:
    return units(rate, rate / 100, 1_000, (25, 3_000))


def lcus_of_new_connections(rate: float) -> float:
    return units(rate, rate, 0.2, (25, 3_000))


def nlcus_of_new_connections(rate: float) -> float:
    return units(rate, rate, 0.2, (800, 100_000))


def cost_in_tiers(quantity: float, tiers: list[tuple[float, float]]) -> float:
    cost = below = 0.0
    for end, price in tiers:
        cost += max(0.0, min(quantity, end) - below) * price
        below = end
    return cost


def hosts_cost(step: Step) -> float:
    return step.regions * step.hosts * (TYPES[step.type][1] + 8 * 0.08 / 730)


def balancer_cost(step: Step) -> float:
    return step.regions * (0.0225 + step.zones * 0.005)


def data_out(rate: float, size: int = 685) -> float:
    """US dollars a month."""
    return cost_in_tiers(gigabytes(rate, size) * 730, TRANSFER)


def hour(step: Step, units_cost: float) -> float:
    return hosts_cost(step) + balancer_cost(step) + units_cost + data_out(step.rate) / 730


def dollars(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


def find_row(first: str) -> list[str]:
    (row,) = (cells[1:] for cells in CELLS if cells[0] == first)
    return row


def find_rows(first: str) -> list[list[str]]:
    return [cells[1:] for cells in CELLS if cells[0] == first]


@pytest.mark.parametrize("type", TYPES)
def test_a_host_serves_what_its_cpus_allow(type: str) -> None:
    cpus, price = TYPES[type]
    serves = plan(type)
    each = price / serves * 1_000
    assert find_row(type) == [f"{cpus:g}", f"{serves:,.0f}", f"{price:g}", f"{each:.3f}"]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_step_takes_and_costs_what_the_page_says(step: Step) -> None:
    takes, costs = find_rows(f"{step.rate:,}")
    hosts, cpus = step.regions * step.hosts, TYPES[step.type][0]
    busy = step.rate * CPU_SECONDS / (hosts * cpus)
    assert takes == [
        f"{step.regions} x {step.zones}",
        f"{hosts} {step.type}",
        f"{busy:.0%}",
        f"{busy * step.zones / (step.zones - 1):.0%}",
        f"{lcus_of_kept_connections(step.rate):,.0f}",
        f"{lcus_of_new_connections(step.rate):,.0f}",
        f"{nlcus_of_new_connections(step.rate):,.0f}",
    ]
    each = hour(step, lcus_of_kept_connections(step.rate) * 0.008)
    assert costs == [
        dollars(hosts_cost(step)),
        dollars(balancer_cost(step)),
        dollars(lcus_of_kept_connections(step.rate) * 0.008),
        dollars(data_out(step.rate) / 730),
        dollars(each),
        f"{each * 730:,.0f}",
        f"{each / step.rate / 3_600 * 1e6:.3f}",
    ]


def test_the_limits_are_as_far_away_as_the_page_says() -> None:
    shares = [step.rate / step.regions for step in STEPS]
    per_host = [share / step.hosts for share, step in zip(shares, STEPS, strict=True)]
    assert find_row("targets of one ALB (quota)")[1:] == [str(step.hosts) for step in STEPS]
    assert find_row("LCUs reserved for one ALB (quota), kept")[1:] == [
        f"{lcus_of_kept_connections(share):,.0f}" for share in shares
    ]
    assert find_row("the same, a connection for each request")[1:] == [
        f"{lcus_of_new_connections(share):,.0f}" for share in shares
    ]
    assert find_row("new connections/s, one node to one host") == [
        f"{(65_535 - 1_023) / 60:,.0f}",
        *(f"{rate:,.0f}" for rate in per_host),
    ]
    assert find_row("packets/s to Time Sync, one host")[1:] == [f"{3 / 16:g}"] * 4


def test_the_alternatives_cost_what_the_page_says() -> None:
    monthly = {
        "this design, connections kept": [
            hour(step, lcus_of_kept_connections(step.rate) * 0.008) for step in STEPS
        ],
        "the same, a connection for each": [
            hour(step, lcus_of_new_connections(step.rate) * 0.008) for step in STEPS
        ],
        "the same with an NLB": [
            hour(step, nlcus_of_new_connections(step.rate) * 0.006) for step in STEPS
        ],
        "Global Accelerator, on top": [0.025 + gigabytes(step.rate, 685) * 0.015 for step in STEPS],
        "CloudFront with a function, instead": [
            step.rate * 3_600 * (0.00000075 + 0.0000001)
            + cost_in_tiers(gigabytes(step.rate, 685) * 730, EDGE) / 730
            for step in STEPS
        ],
        "data out alone": [data_out(step.rate) / 730 for step in STEPS],
        "data out, if machines used NTP instead": [
            data_out(step.rate * 10 / 64, 76) / 730 for step in STEPS
        ],
    }
    for name, costs in monthly.items():
        assert find_row(name) == [f"{cost * 730:,.0f}" for cost in costs], name


def test_the_prices_are_those_of_the_table() -> None:
    prices = {name: row["us-east-1"][0] for name, row in ROWS.items()}
    for type in ("t4g.micro", "t3.micro", "t3.small"):
        assert TYPES[type][1] == prices[f"hosts, {type}"]
    assert prices["hosts: volumes"] == 0.08
    assert prices["load balancer"] == 0.0225
    assert prices["load balancer: public IPv4 addresses"] == 0.005
    assert prices["load balancer: capacity units"] == 0.008
    assert prices["load balancer: data to the Internet"] == TRANSFER[1][1]


def test_the_other_prices_stand_on_the_page() -> None:
    stated = {price for _, price in [*TRANSFER[2:], *EDGE[1:]]}
    stated |= {price for type, (_, price) in TYPES.items() if type.startswith("c7i")}
    page = PAGE[PAGE.index("## The prices") :]
    for price in stated:
        assert re.search(rf"\b{price}\b", page), price


def test_the_policy_s_default_is_half_of_a_host_s_plan() -> None:
    hosts = TEMPLATES["hosts"]
    half = plan(hosts.default("InstanceType")) / 2
    assert float(hosts.default("RequestsPerMinute")) / 60 == pytest.approx(half, rel=0.25)


def test_the_work_of_a_boot_adds_up_and_the_drill_has_that_of_the_installation() -> None:
    section = PAGE.partition("## A host's first boot")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (\d+)(?:-(\d+))? \|", section, re.MULTILINE)
    seconds = {step: (int(least), int(most or least)) for step, least, most in rows}
    (least, most), *others = re.findall(r"\| \*\*(\d+)-(\d+)\*\* \|", section)
    assert others == []
    assert sum(low for low, _ in seconds.values()) == int(least)
    assert sum(high for _, high in seconds.values()) == int(most)
    for total, share in ((least, 0.2), (most, 0.2), (least, 0.1), (most, 0.1)):
        assert f"{total} / {share} = {round(int(total) / share)} s" in section
    installation = ("dnf's index and transaction", "container-selinux builds its policy")
    burnt = sum(seconds[step][1] for step in installation)
    assert SLOW["TIMESERVICE_INSTALL_SECONDS"] == str(burnt)
