"""How often the healthcheck misses the one wrong host behind a balancer, and how long it takes."""

import contextlib
import itertools
import multiprocessing
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from statistics import quantiles
from typing import NamedTuple

from bench.accuracy import AT_ONCE, NtpHandler, Path, WebHandler, serve
from healthcheck import reference
from healthcheck.check import check

CHECKS = 1_000
PATH = Path("10/10", 0.010, 0.010)
# Seconds by which the last host's clock is wrong. The other clocks are right.
WRONG = 2.0
# At most one check of a thousand may miss the wrong host.
MISSES = 1


def choose_at_random(hosts: int, chance: random.Random) -> Callable[[], int]:
    return lambda: chance.randrange(hosts)


def choose_in_turn(hosts: int, chance: random.Random) -> Callable[[], int]:
    """Choose each host in turn. Other clients send up to nine requests between two."""
    turns = itertools.count(chance.randrange(hosts))

    def choose() -> int:
        for _ in range(chance.randrange(10)):
            next(turns)
        return next(turns) % hosts

    return choose


class Balancing(NamedTuple):
    """choose: gives a host for each request, or for each connection if is_sticky."""

    name: str
    hosts: int
    choose: Callable[[int, random.Random], Callable[[], int]]
    is_sticky: bool = False


BALANCINGS = [
    Balancing("random", 2, choose_at_random),
    Balancing("random", 3, choose_at_random),
    Balancing("busy round robin", 2, choose_in_turn),
    Balancing("busy round robin", 3, choose_in_turn),
    Balancing("sticky by connection", 2, choose_at_random, is_sticky=True),
    Balancing("sticky by connection", 3, choose_at_random, is_sticky=True),
]


def balance(balancing: Balancing, chance: random.Random, error: float) -> type[WebHandler]:
    """Return the handler of a balancer. error: of the last host's clock, in seconds."""
    choose = balancing.choose(balancing.hosts, chance)

    class BalancedHandler(WebHandler):
        host: int | None = None

        def find_host(self) -> tuple[str, float]:
            if self.host is None or not balancing.is_sticky:
                self.host = choose()
            return f"i-{self.host}", error if self.host == balancing.hosts - 1 else 0.0

    return BalancedHandler


def run_check(balancing: Balancing, seed: int, error: float) -> tuple[str, float]:
    """Check once; return the verdict's reason, and the seconds that the check took."""
    chance = random.Random(seed)
    with contextlib.ExitStack() as running:
        servers = [running.enter_context(serve(NtpHandler, PATH, 0.0, chance)) for _ in range(3)]
        handler = balance(balancing, chance, error)
        address = running.enter_context(serve(handler, PATH, 0.0, chance))
        result = check(
            f"http://{address}",
            ask_reference=lambda timeout: reference.measure(servers, timeout),
        )
    return result.verdict.reason, result.phases["total"]


def measure() -> bool:
    """Print a row for each balancing.

    Return whether at most MISSES checks of each row missed the wrong host, without a false alarm.
    """
    print("\n| balancing | hosts | missed | p50 ms | p95 ms, all right |\n|---|--:|--:|--:|--:|")
    is_good = True
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn")) as pool:
        for balancing in BALANCINGS:
            # The times are from checks that run to their end. In one check of twenty, no host is
            # wrong.
            errors = [0.0 if seed % 20 == 0 else WRONG for seed in range(CHECKS * 20 // 19 + 1)]
            todo = [(balancing, seed, error) for seed, error in enumerate(errors)]
            results = list(pool.map(run_check, *zip(*todo, strict=True)))
            pairs = list(zip(errors, results, strict=True))
            missed = sum(reason != "clock_off" for error, (reason, _) in pairs if error)
            alarms = sum(reason == "clock_off" for error, (reason, _) in pairs if not error)
            times = [took * 1e3 for error, (_, took) in pairs if not error]
            percentiles = quantiles(times, n=20)
            print(f"| {balancing.name} | {balancing.hosts} | {missed} of {CHECKS:,} ", end="")
            print(f"| {percentiles[9]:.0f} | {percentiles[18]:.0f} |", flush=True)
            is_good = is_good and missed <= MISSES and not alarms
    return is_good
