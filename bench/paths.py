"""Paths through a network, of known delay, asymmetry, jitter and loss: how long what enters them is under way."""

from __future__ import annotations

import random
from typing import NamedTuple

RETRANSMISSION = 0.2  # seconds after which TCP sends again what is lost, at least (Linux)
FIRST_RETRANSMISSION = 1.0  # the same, for a connection's first packet (RFC 6298)
NEAR = 0.001  # seconds; an NTP server in the same region, or of one's own


class Path(NamedTuple):
    """A path through the network; seconds.

    out, back: what each direction takes at least. jitter: what comes on top of that, on average (exponential).
    loss: the probability that a packet is lost. ntp: the same for NTP servers, each with a path of its own: how much
    each of its directions takes at most.
    """

    name: str
    out: float
    back: float
    jitter: float = 0.0
    loss: float = 0.0
    ntp: float = NEAR

    @property
    def rtt(self) -> float:
        return self.out + self.back

    @property
    def quiet(self) -> bool:
        return not self.jitter and not self.loss and self.ntp <= NEAR


class Way:
    """One direction of a path, for one connection: how long what enters it now is under way."""

    def __init__(self, path: Path, least: float, chance: random.Random) -> None:
        """least: what it takes without jitter, in seconds."""
        self._path, self._least, self._chance = path, least, chance
        self._last = 0.0

    def datagram(self) -> float | None:
        """Seconds; None if it is lost."""
        return None if self._loses() else self._takes()

    def segment(self, now: float, first: bool = False) -> float:
        """When TCP delivers it; now: in seconds by the same clock. What is lost is sent again, and later ones wait."""
        arrival = now + self._takes()
        patience = FIRST_RETRANSMISSION if first else max(RETRANSMISSION, self._path.rtt)
        while self._loses():
            arrival += patience
            patience *= 2
        # Strictly one after the other: timers of the same moment go off in any order.
        self._last = max(arrival, self._last + 1e-6)
        return self._last

    def _takes(self) -> float:
        jitter = self._chance.expovariate(1 / self._path.jitter) if self._path.jitter else 0.0
        return self._least + jitter

    def _loses(self) -> bool:
        return self._chance.random() < self._path.loss
