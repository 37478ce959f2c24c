"""The sums of docs/capacity.md: what a rate of requests takes, and what that costs."""

from __future__ import annotations

import pytest

from bench import capacity, prices, sizing
from bench.capacity import DOCUMENT
from bench.prices import ALB, NLB, HostType
from bench.sizing import KEPT, ONCE, STEPS, Clients, Step
from ops.cost import pricelist
from tests.support.templates import TEMPLATES

HOST = HostType("test", cpus=1, price=0.5)


@pytest.fixture(autouse=True)
def hundred(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A host serves 100 requests a second, and an exchange is of 1,000 bytes; not for tests of the document."""
    if "document" not in request.node.name:
        monkeypatch.setattr(sizing, "CPU_SECONDS", 0.005)
        monkeypatch.setattr(sizing, "BUSY", 0.5)
        monkeypatch.setattr(sizing, "ANSWER", 800)
        monkeypatch.setattr(sizing, "REQUEST", 200)


@pytest.mark.parametrize(
    ("rate", "regions", "zones", "hosts"),
    [
        (100, 1, 2, 2),  # one is enough, and there are two
        (101, 1, 2, 4),
        (200, 1, 3, 3),  # two of three zones have two hosts
        (201, 1, 3, 6),
        (600, 3, 3, 3),  # either 2 zones of each Region, or 2 Regions of 3 zones
        (1_000, 2, 3, 12),  # a Region that is left carries it all: ten hosts, and zones alike
    ],
)
def test_what_is_left_without_a_zone_or_a_region_carries_the_load(
    rate: int, regions: int, zones: int, hosts: int
) -> None:
    step = Step(rate, regions, zones, HOST)
    assert step.hosts == hosts
    assert step.busy(zones) < step.busy(zones - 1) <= 0.5


def test_a_zone_has_no_host_too_many() -> None:
    for step in STEPS:
        fewer = step.regions * (step.hosts - step.zones)
        assert fewer * (step.zones - 1) / step.zones * sizing.serves(step.type) < step.rate


@pytest.mark.parametrize(
    ("clients", "expected"),
    [
        (Clients(requests=1, seconds=0), 40),  # 1,000 new connections
        (Clients(requests=100, seconds=1_500), 5),  # 15,000 open ones
        (Clients(requests=1_000, seconds=10), 3.6),  # 3.6 GB an hour
    ],
)
def test_the_most_expensive_dimension_counts(clients: Clients, expected: float) -> None:
    assert sizing.units(1_000, clients, ALB) == pytest.approx(expected)


def test_a_network_balancer_s_unit_carries_more_connections() -> None:
    assert sizing.units(100_000, ONCE, ALB) == pytest.approx(4_000)
    assert sizing.units(100_000, ONCE, NLB) == pytest.approx(360)  # of bytes


@pytest.mark.parametrize(
    ("gigabytes", "cost"),
    [(0, 0), (100, 0), (1_100, 90), (10_340, 921.6), (51_300, 4_403.2), (154_700, 11_571.2 + 50)],
)
def test_data_out_is_paid_by_tiers_that_begin_behind_what_is_free(
    gigabytes: float, cost: float
) -> None:
    assert pricelist.tiered(gigabytes, prices.TRANSFER) == pytest.approx(cost)


def test_the_cost_of_a_step_is_the_sum_of_its_parts() -> None:
    step = Step(100, 1, 2, HOST)
    hosts = 2 * (0.5 + 8 * 0.08 / 730)
    balancer = 0.0225 + 2 * 0.005 + 0.36 * 0.008  # 0.36 GB an hour, and 1,000 open connections
    transfer = (0.288 * 730 - 100) * 0.09 / 730
    assert sizing.cost(step, KEPT) == pytest.approx(hosts + balancer + transfer)


def test_the_document_has_the_tables_that_the_command_makes() -> None:
    text = DOCUMENT.read_text()
    assert capacity.renewed(text) == text
    for one in capacity.tables():
        assert one in text


def test_the_document_s_default_of_the_policy_is_half_of_what_is_planned_for_a_host() -> None:
    hosts = TEMPLATES["hosts"]
    smallest = sizing.by_name(hosts.default("InstanceType"))
    planned = sizing.serves(smallest)
    assert float(hosts.default("RequestsPerMinute")) / 60 == pytest.approx(planned / 2, rel=0.25)
