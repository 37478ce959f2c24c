"""What a model of a resource type answers with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ops.cost.resources import Resource, Resources
from ops.cost.usage import Usage


class UnknownCost(Exception):
    """A resource that might cost something; the text names it and what about it is not known."""


class Charge(NamedTuple):
    """What it is for, in words; the usage's name in the price list; how much of it in a month."""

    what: str
    usage: str
    quantity: float


Model = Callable[[Resource, Resources, Usage], Iterator[Charge]]


def nothing(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    yield from ()


def require(holds: bool, resource: Resource, what: str) -> None:
    """Raises UnknownCost unless it holds."""
    if not holds:
        raise UnknownCost(
            f"{resource.name} ({resource.type}) {what}: what that costs is not known. Teach it to "
            "ops/cost/charges.py, with its prices in ops/prices/"
        )
