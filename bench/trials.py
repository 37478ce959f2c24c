"""Trials: a check each, of a service of known error, over a known path, by a checker whose own clock is hours off."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Literal, NamedTuple

from bench.network import HERE, Network, network
from bench.paths import Path
from healthcheck import reference
from healthcheck.check import check
from healthcheck.interval import Interval
from healthcheck.verdict import LIMIT, Verdict
from tests.support.healthcheck_servers import Behaviour, ntp, rfc3339, web

ERRORS = [sign * size for size in (0.3, 0.9, 0.97, 1.03, 1.1, 1.5, 5.0, 3600.0) for sign in (1, -1)]
# Seconds; what a server says that is set by a good clock nearby, as Amazon's is.
DISTANCE = {"root_delay": 0.0005, "root_dispersion": 0.0005}
FLOAT = 1e-6  # seconds; what a float of today's number of seconds cannot tell apart, and more

Fault = Literal["", "dead", "lies"]
Outcome = Literal["right", "wrong", "undetermined", "unknown"]


class Draw(NamedTuple):
    """What a trial's seed decides; seconds.

    error: the service's clock minus true time. own: the checker's clock minus true time. fault: of one NTP server.
    """

    error: float
    own: float
    fault: Fault


class Trial(NamedTuple):
    """A trial and its result; seconds. claim: where the error lies, the check says; None if it claims nothing."""

    path: str
    seed: str
    draw: Draw
    claim: Interval | None
    status: str
    reason: str
    outcome: Outcome
    requests: int
    seconds: float

    @property
    def inside(self) -> bool:
        """Whether what it claims is true."""
        error = self.draw.error
        return self.claim is not None and (
            self.claim.low - FLOAT <= error <= self.claim.high + FLOAT
        )


def drawn(path: Path, chance: random.Random) -> Draw:
    """Nearly half of the errors are near the limit, where a verdict is hard."""
    error = chance.choice([0.0, 0.0, *ERRORS, chance.uniform(-1.2, 1.2)])
    faults: list[Fault] = ["", "", "", "dead"]
    if not path.loss:
        # Where answers may be lost, the liar's could be the only one that arrives, and no check could know.
        faults.append("lies")
    return Draw(error, chance.uniform(-12, 12) * 3600, chance.choice(faults))


def states(shift: float) -> Behaviour:
    """The service with a clock, also for its `Date` header, that is `shift` seconds fast."""
    return lambda request: request.answer(
        {"now": rfc3339(shift), "instance": "i-1"},
        Date=formatdate(time.time() + shift, usegmt=True),
    )


def trial(path: Path, seed: str) -> Trial:
    """One check. The seed decides on all but the scheduling of threads."""
    chance = random.Random(seed)
    draw = drawn(path, chance)
    with (
        web(states(draw.error - draw.own)) as service,
        network(chance) as paths,
        ntp_servers(path, draw, paths, chance) as names,
    ):
        url = f"http://{HERE}:{paths.tcp(path, service.server_port)}"
        result = check(url, ask_reference=lambda patience: reference.measure(names, patience))
        requests = len(service.requests)
    verdict = result.verdict
    return Trial(
        path=path.name,
        seed=seed,
        draw=draw,
        claim=verdict.worst.error if verdict.worst and verdict.status != "Unknown" else None,
        status=verdict.status,
        reason=verdict.reason,
        outcome=outcome(verdict, draw.error, may_be_unknown=bool(path.loss)),
        requests=requests,
        seconds=result.phases["total"],
    )


@contextlib.contextmanager
def ntp_servers(
    path: Path, draw: Draw, paths: Network, chance: random.Random
) -> Iterator[list[str]]:
    """Three, each as far away as `path` allows; one of them may be faulty."""
    names = []
    with contextlib.ExitStack() as running:
        for fault in (draw.fault, "", ""):
            lie = chance.choice([-1, 1]) * 10 ** chance.uniform(-3, 4) if fault == "lies" else 0.0
            server = running.enter_context(ntp(shift=lie - draw.own, **DISTANCE))
            out, back = chance.uniform(0, path.ntp), chance.uniform(0, path.ntp)
            way = Path("", out, back, path.jitter, 1.0 if fault == "dead" else path.loss)
            names.append(f"{HERE}:{paths.udp(way, server.server_address[1])}")
        yield names


def outcome(verdict: Verdict, error: float, may_be_unknown: bool, limit: float = LIMIT) -> Outcome:
    """What a verdict is worth, given the truth."""
    if verdict.status == "Unknown":
        return "unknown" if may_be_unknown else "wrong"
    if verdict.reason == "undetermined" and verdict.worst:
        near = abs(abs(error) - limit) <= 2 * verdict.worst.error.half_width
        return "undetermined" if near else "wrong"
    expected = "ok" if abs(error) <= limit else "clock_off"
    return "right" if verdict.reason == expected else "wrong"
