"""List prices of a Region and what of them is always free, from ops/prices/, each with its source and date.

A price's name is AWS's: service code / usage type, without the Region's prefix (EU-LoadBalancerUsage is
LoadBalancerUsage); `:Network` behind it tells a network balancer's from an application balancer's. `seen`: the source
says so; not seen: common knowledge, to be looked up before money rests on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent.parent / "prices"
HOURS = 730  # in a month, as AWS reckons
Tiers = Sequence[tuple[float, float]]  # up to so many in a month, at so much each


class NoPrice(Exception):
    """A Region or a thing that has no price here; the text says what to do."""


class Price(NamedTuple):
    """US dollars for one `unit`; tiers, if more of them cost less."""

    tiers: Tiers
    unit: str
    seen: bool
    source: str
    date: str

    @property
    def first(self) -> float:
        return self.tiers[0][1]

    def cost(self, quantity: float) -> float:
        """US dollars for so many in a month."""
        return tiered(quantity, self.tiers)


class Allowance(NamedTuple):
    """What of these usages together is free in each month, for ever, in all Regions of an account together."""

    usages: tuple[str, ...]
    quantity: float
    unit: str


class PriceList(NamedTuple):
    region: str
    name: str
    prices: dict[str, Price]

    def price(self, usage: str) -> Price:
        """Raises NoPrice."""
        try:
            return self.prices[usage]
        except KeyError:
            raise NoPrice(
                f"ops/prices/{self.region}.json has no price for {usage}: add it, with its source and date"
            ) from None


def read(region: str) -> PriceList:
    """Raises NoPrice if there is no file for the Region."""
    if region not in regions():
        raise NoPrice(
            f"there is no price list for the Region {region!r}, only for {', '.join(regions())}. Copy "
            f"ops/prices/{regions()[0]}.json to ops/prices/{region}.json and set each price, its source and date; "
            "AWS says them at https://aws.amazon.com/pricing, or by `aws pricing get-products --region us-east-1 "
            f"--service-code CODE --filters Type=TERM_MATCH,Field=regionCode,Value={region}`"
        )
    content = json.loads((FOLDER / f"{region}.json").read_text())
    prices = {usage: _price(one) for usage, one in content["prices"].items()}
    return PriceList(content["region"], content["name"], prices)


def regions() -> list[str]:
    """Those that have a price list."""
    return sorted(
        path.stem
        for path in FOLDER.glob("*.json")
        if re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", path.stem)
    )


def allowances() -> list[Allowance]:
    content = json.loads((FOLDER / "always-free.json").read_text())
    return [
        Allowance(tuple(one["usage"]), one["quantity"], one["unit"])
        for one in content["allowances"]
    ]


def tiered(quantity: float, tiers: Tiers) -> float:
    """US dollars for so many in a month."""
    cost = below = 0.0
    for end, price in tiers:
        cost += max(0.0, min(quantity, end) - below) * price
        below = end
    return cost


def _price(one: dict[str, Any]) -> Price:
    listed = one.get("tiers") or [[None, one["usd"]]]
    tiers = [(float("inf") if end is None else float(end), float(usd)) for end, usd in listed]
    return Price(tiers, one["unit"], one["seen"], one["source"], one["date"])
