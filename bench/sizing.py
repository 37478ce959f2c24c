"""How many hosts and balancer units a rate of requests takes, and the dollars in an hour that they cost. Pure."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from bench import prices
from bench.prices import ALB, Balancer, HostType
from ops.cost.pricelist import HOURS, tiered
from ops.cost.usage import ANSWER, REQUEST, capacity_units, gigabytes

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


def new_connections() -> float:
    """In a second, from one node of the balancer to one host, if each carried one request only."""
    return prices.PORTS / prices.TIME_WAIT


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
