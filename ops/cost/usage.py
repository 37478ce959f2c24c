"""How much the deployment is used, as far as its templates cannot say; and a balancer's capacity units."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

# Measured. Bytes of an exchange, headers included: `curl -si URL/now | wc -c`, and what curl sends.
ANSWER, REQUEST = 685, 120
# GB of what is uploaded: `ls -l build/image.tar.gz build/healthcheck.zip`, rounded up.
ARCHIVES = 0.022
# Bytes that a check writes to the log: its record (`python -m healthcheck --json URL | wc -c`: some 1,300 with two
# hosts), and Lambda's own three lines.
LOGGED = 2_000

# CPUs that a host may use without CPU credits: T3's baseline, 10 or 20 % of each of two vCPUs; known.
FOR_EVER = {"t3.micro": 0.2, "t3.small": 0.4}


class Usage(NamedTuple):
    """hosts: that run, if not the fewest. check_seconds: that a run of the healthcheck takes, billed by the ms."""

    hosts: int | None = None
    requests_per_second: float = 1.0
    requests_per_connection: float = 1.0  # a new one for each: what costs the most
    connection_seconds: float = 0.2  # for which one is open
    check_seconds: float = (
        1.0  # decided: as docs/healthcheck.md plans; locally a run takes a third of that
    )
    looks: int = 300  # at the dashboard in a month, its refreshes counted: ten a day
    notifications: int = 100  # mails of alarms in a month; there should be none


class Unit(NamedTuple):
    """What a balancer's capacity unit carries."""

    new: float  # connections a second
    active: float  # connections open
    gigabytes: float  # an hour, both ways
    rules: float  # evaluated a second


# Seen: handbook.vantage.sh/aws/services/elb-pricing. The NLB's 800 and 100,000: known.
ALB = Unit(25, 3_000, 1, 1_000)
NLB = Unit(800, 100_000, 1, inf)
FREE_RULES = 10  # of those evaluated for a request; seen: aws.darcy-it.com


def capacity_units(
    unit: Unit,
    rate: float,
    *,
    size: float,
    per_connection: float,
    seconds: float,
    rules: int = 0,
) -> float:
    """Units in use, of what they count the most expensive, at so many requests a second.

    size: bytes of a request and its answer. per_connection: requests on each connection, which is open for so many
    seconds. rules: evaluated for each request.
    """
    new = rate / per_connection
    return max(
        new / unit.new,
        new * seconds / unit.active,
        gigabytes(rate, size) / unit.gigabytes,
        rate * max(0, rules - FREE_RULES) / unit.rules,
    )


def gigabytes(rate: float, size: float) -> float:
    """GB in an hour of so many things a second of so many bytes; 10^9 bytes each, which is on the safe side."""
    return rate * size * 3_600 / 1e9
