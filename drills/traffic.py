"""Drills of clients: too many at once, or such as never finish."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from drills import outcome
from drills.registry import drill
from drills.scene import Scene

STEADY = 500.0  # requests per second
BURST = 10 * STEADY
STEADY_SECONDS, BURST_SECONDS, AFTER_SECONDS = 300, 10, 60
RECOVERY = 5.0  # seconds
LIMIT = 0.010  # seconds, of the 99th percentile


@drill("5 minutes at 500/s, 10 s at 5,000/s, and 500/s again")
def burst(scene: Scene) -> None:
    pair = set(scene.states())
    with scene.load(STEADY) as load:
        began = time.time()
        time.sleep(STEADY_SECONDS)
        scene.fault()
        load.rate(BURST)
        time.sleep(BURST_SECONDS)
        load.rate(STEADY)
        over = time.time()
        time.sleep(AFTER_SECONDS)
        scene.until_two_healthy()
    steady = outcome.between(scene.requests, began, began + STEADY_SECONDS)
    failed = outcome.failures(steady)
    scene.hold(not failed, f"nothing fails at 500/s ({len(failed)} did)")
    slow = outcome.percentile(steady, 0.99) or 0.0
    scene.note(f"at 500/s: p50 {told(outcome.percentile(steady, 0.5))}, p99 {told(slow)}")
    scene.hold(slow < LIMIT, f"p99 below 10 ms at 500/s ({told(slow)})")
    during = outcome.between(scene.requests, scene.fault_at or 0, over)
    shed = len(outcome.failures(during))
    scene.note(
        f"of {len(during):,} in the burst {shed:,} failed, p50 {told(outcome.percentile(during, 0.5))}"
    )
    after = outcome.between(scene.requests, over + RECOVERY, over + AFTER_SECONDS)
    scene.hold(not outcome.failures(after), "nothing fails from 5 s after the burst on")
    slow = outcome.percentile(after, 0.99) or 0.0
    scene.hold(slow < 2 * LIMIT, f"and p99 is what it was, or twice that ({told(slow)})")
    scene.never_wrong()
    scene.hold(set(scene.states()) == pair, "the hosts stay")


def told(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds * 1e3:.1f} ms"


@drill("1,000 idle connections, 500 slow ones (slowloris), 200 half-open ones")
def slow_clients(scene: Scene) -> None:
    address = ("127.0.0.1", scene.clone.port)
    balancer = scene.cloud.address("balancer")
    with scene.load(200.0):
        scene.fault()
        edge = f"{scene.cloud.name}-edge"
        attacker = scene.sidecar(edge, "/faults/half_open.py", balancer, "200")
        try:
            with crowd(address, 1000, b""), crowd(address, 500, b"GET /now HTTP/1.1\r\nX-a: "):
                time.sleep(90)
            said = attacker.logs().decode()
        finally:
            attacker.remove(force=True)
    scene.hold(
        "200 connections are half open" in said,
        f"the half-open ones are there ({said.strip()[-200:]})",
    )
    scene.none_failed()
    scene.never_wrong()
    scene.hold(all(one.healthy == 2 for one in scene.seen), "no host is taken out")


class Crowd:
    """So many connections. Each sends `beginning`, and then, if there is one, another byte each second; those that are
    closed are opened again."""

    def __init__(self, address: tuple[str, int], count: int, beginning: bytes) -> None:
        self.address, self.beginning = address, beginning
        self.connections: list[socket.socket | None] = [None] * count
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            for number in range(len(self.connections)):
                self.tend(number)
            self.ended.wait(1.0)

    def tend(self, number: int) -> None:
        one = self.connections[number]
        try:
            if one is None:
                one = self.connections[number] = socket.create_connection(self.address, timeout=5)
                one.sendall(self.beginning)
            elif self.beginning:
                one.sendall(b"a")
        except OSError:
            if one:
                one.close()
            self.connections[number] = None


@contextmanager
def crowd(address: tuple[str, int], count: int, beginning: bytes) -> Iterator[None]:
    """Open a Crowd while the block runs."""
    crowd = Crowd(address, count, beginning)
    thread = threading.Thread(target=crowd.run)
    thread.start()
    try:
        yield
    finally:
        crowd.ended.set()
        thread.join()
        for one in crowd.connections:
            if one:
                one.close()
