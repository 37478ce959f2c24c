"""How certain it is that a check has met every host behind the service's name."""

from typing import NamedTuple

from healthcheck.reading import Reading

# The greatest probability with which a host with an equal share may be missed. The promise is
# 0.1 %. This is less, because shares are seldom equal.
MAX_MISS_PROBABILITY = 1e-4


class Coverage(NamedTuple):
    """seen: hosts. expected: hosts that must be seen. connections: opened, each to any host."""

    seen: int
    connections: int
    expected: int

    @property
    def miss_probability(self) -> float:
        """Return the probability that no connection met another host, if there is one.

        With equal shares, each connection misses that host with the probability m / (m + 1), where
        m is the number of hosts seen.
        """
        return (self.seen / (self.seen + 1)) ** self.connections if self.seen else 1.0

    @property
    def is_certain(self) -> bool:
        """Return whether another host with an equal share would have been met."""
        return self.miss_probability <= MAX_MISS_PROBABILITY

    @property
    def is_complete(self) -> bool:
        return self.is_certain and self.seen >= self.expected


def find_coverage(reading: Reading, expected: int) -> Coverage:
    """Return the coverage of all samples so far.

    A balancer may choose a host for each request, or for each connection. Connections are counted,
    because a kept one may be pinned to its host.
    """
    hosts = {sample.instance for sample in reading.samples}
    connections = sum(sample.has_connected for sample in reading.samples)
    return Coverage(len(hosts), connections, expected)
