"""What is played to show the difference that a setting makes; nothing here holds or does not."""

from __future__ import annotations

import time

from drills import hosts, outcome, releases
from drills.scene import Scene


def steady(scene: Scene) -> None:
    """Half a minute at 500 requests per second."""
    with scene.load(500.0):
        time.sleep(30)


def rare(scene: Scene) -> None:
    """Clients that come back every few seconds, just when an idle connection may be closed by the service."""
    with scene.load(0.5):
        time.sleep(90)


def slow(scene: Scene) -> None:
    """Hosts that are launched from now on are as slow as a t3.micro without CPU credits."""
    done = scene.clone.make("up", **hosts.SLOW)
    scene.hold(done.status == 0, "make up succeeds")


def slow_release(scene: Scene) -> None:
    """A release whose hosts are slow."""
    scene.new_release()
    with scene.load(20.0):
        scene.fault()
        slow(scene)


def slow_replacement(scene: Scene) -> None:
    """A host dies, and its successors are slow."""
    slow(scene)
    before = set(scene.states())
    with scene.load(20.0):
        scene.fault()
        scene.hosts()[0].kill()
        deadline = time.monotonic() + 120
        launched: set[str] = set()
        while time.monotonic() < deadline:
            launched |= set(scene.states()) - before
            time.sleep(1)
    served = [one for one in launched if scene.states().get(one) == "healthy"]
    scene.note(f"within 2 minutes {len(launched)} launched, {len(served)} of them healthy")


def slow_hosts_under_load(scene: Scene) -> None:
    """A pair of slow hosts with nearly as many requests as it can serve: is one of them taken out for that?"""
    slow_release(scene)
    scene.until_two_healthy()
    scene.requests.clear()
    began = time.time()
    with scene.load(250.0):
        time.sleep(60)
    out = sum(one.healthy < outcome.PAIR for one in scene.seen if one.at > began)
    scene.note(f"a host was out in {out} of {sum(one.at > began for one in scene.seen)} looks")


def unaware(scene: Scene) -> None:
    """A release; were there moments at which the balancer knew of no healthy host?"""
    releases.good_release(scene)
    blind = sum(not one.healthy for one in scene.seen)
    scene.note(f"no healthy host in {blind} of {len(scene.seen)} looks")
