"""What the deployment costs: figures reckoned by hand, what the model refuses, and that nothing costs less by more."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.cost import bill, pricelist
from audit.cost.__main__ import main, resources, result
from audit.cost.charge import UnknownCost
from audit.cost.charges import FREE, MODELS, charges
from audit.cost.pricelist import NoPrice
from audit.cost.resources import Resources
from audit.cost.usage import ALB, NLB, Usage, capacity_units
from deployment.template import Template
from tests.templates import RESOURCES, TEMPLATES

QUIET = Usage(requests_per_second=0)
US, EU = pricelist.read("us-east-1"), pricelist.read("eu-west-1")


def cost(
    usage: Usage = QUIET, prices: pricelist.PriceList = US, **config: str
) -> dict[str, Any]:
    return result(resources(config), usage, prices)


def hour(usage: Usage = QUIET, prices: pricelist.PriceList = US, **config: str) -> float:
    return float(cost(usage, prices, **config)["hour"])


def quantities(usage: Usage = QUIET, **config: str) -> dict[str, float]:
    """In a month, by the usage's name."""
    found: dict[str, float] = {}
    for one in charges(resources(config), usage):
        found[one.usage] = found.get(one.usage, 0) + one.quantity
    return found


STORED = 0.022 * 0.023 / 730  # the archives in S3, an hour


@pytest.mark.parametrize(
    ("prices", "hosts", "expected"),
    [
        # balancer, two addresses, hosts, their volumes of 8 GB
        (US, 2, 0.0225 + 2 * 0.005 + 2 * 0.0104 + 2 * 8 * 0.08 / 730),
        (EU, 2, 0.0252 + 2 * 0.005 + 2 * 0.0114 + 2 * 8 * 0.088 / 730),
        (US, 4, 0.0225 + 2 * 0.005 + 4 * 0.0104 + 4 * 8 * 0.08 / 730),
        (EU, 4, 0.0252 + 2 * 0.005 + 4 * 0.0114 + 4 * 8 * 0.088 / 730),
    ],
    ids=["us 2", "eu 2", "us 4", "eu 4"],
)
def test_an_hour_without_requests(
    prices: pricelist.PriceList, hosts: int, expected: float
) -> None:
    rounded = {(US, 2): 0.0551, (EU, 2): 0.0599, (US, 4): 0.0776, (EU, 4): 0.0847}
    listed = {(id(key[0]), key[1]): value for key, value in ((k, v) for k, v in rounded.items())}
    found = hour(QUIET._replace(hosts=hosts), prices)
    assert found == pytest.approx(expected + STORED)
    assert round(found, 4) == listed[id(prices), hosts]
