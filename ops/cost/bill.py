"""A month's bill: charges at list prices, less what is always free."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from ops.cost.charge import Charge, UnknownCost
from ops.cost.pricelist import HOURS, Allowance, Price, PriceList
from ops.cost.resources import Resource, Resources
from ops.cost.serving import GROUP, of_hosts, surplus

WAIT = "AWS::CloudFormation::WaitCondition"


class Line(NamedTuple):
    """A charge, its price, and how much of it is free; dollars are of a month."""

    charge: Charge
    price: Price
    free: float

    @property
    def listed(self) -> float:
        return self.price.cost(self.charge.quantity)

    @property
    def due(self) -> float:
        return self.price.cost(self.charge.quantity - self.free)


def lines(
    charges: Sequence[Charge], prices: PriceList, allowances: Sequence[Allowance]
) -> list[Line]:
    """Raises NoPrice. An allowance that several charges share goes to the first of them."""
    left = {allowance: allowance.quantity for allowance in allowances}
    found = []
    for charge in charges:
        free = 0.0
        for allowance in left:
            if charge.usage in allowance.usages:
                free = min(charge.quantity, left[allowance])
                left[allowance] -= free
        found.append(Line(charge, prices.price(charge.usage), free))
    return found


def due(found: Sequence[Line]) -> float:
    """Dollars in a month."""
    return sum(line.due for line in found)


def days(credits: float, month: float) -> float:
    """How many days so many dollars carry such a month."""
    return credits / (month / HOURS) / 24 if month else inf


def group(all_of: Resources) -> Resource:
    """Raises UnknownCost if there is not just one."""
    groups = all_of.of_type(GROUP)
    if len(groups) != 1:
        raise UnknownCost(f"there are {len(groups)} Auto Scaling groups; one is what is known")
    return groups[0]


def release(all_of: Resources) -> tuple[list[Charge], float]:
    """What a release takes at most, and for how many minutes: its new hosts beside the old ones until its time-out."""
    waits = [int(one.properties["Timeout"]) for one in all_of.of_type(WAIT)]
    if not waits:
        raise UnknownCost("no wait condition says how long a release may take")
    hours = max(waits) / 3_600
    new = int(group(all_of).properties["MinSize"])
    requests = [
        Charge("archives, uploaded", "AmazonS3/Requests-Tier1", 2),
        Charge("image, loaded by hosts", "AmazonS3/Requests-Tier2", new),
    ]
    return [*of_hosts(group(all_of), all_of, new, hours), *requests], hours * 60


def runaway(all_of: Resources, number: int, prices: PriceList) -> float:
    """Dollars an hour on top, if all hosts use all of their CPUs for ever; 0 with standard credits."""
    extra = surplus(group(all_of), all_of, number)
    return sum(prices.price(one.usage).cost(one.quantity) for one in extra) / HOURS
