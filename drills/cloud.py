"""Drills of the cloud around the hosts: its balancer, its API, a zone of it."""

from __future__ import annotations

import time

from drills import outcome
from drills.deployed import instance_of
from drills.hosts import lose
from drills.registry import drill
from drills.scene import RATE, Scene
from local.launch import network_without_way_out


@drill("the balancer restarts")
def balancer_restarts(scene: Scene) -> None:
    pair = set(scene.states())
    with scene.load(RATE):
        scene.fault()
        scene.part("balancer").restart(timeout=2)
        scene.until_two_healthy()
        time.sleep(scene.two_checks)
    scene.errors_end(10)
    scene.never_wrong()
    scene.hold(set(scene.states()) == pair, "the hosts stay")


@drill("the AWS API is away for a minute, and a host dies right after")
def api_away(scene: Scene) -> None:
    with scene.load(RATE):
        api = scene.part("api")
        api.pause()
        time.sleep(60)
        meanwhile = time.time()
        api.unpause()
        lose(scene, scene.hosts()[0])
    scene.hold(
        not outcome.failures(outcome.between(scene.requests, 0, meanwhile)),
        "nothing fails while the API is away",
    )
    scene.errors_end()
    scene.never_wrong()


@drill("the controller is killed, and a host right after")
def controller_dies(scene: Scene) -> None:
    with scene.load(RATE):
        scene.run(scene.part("controller"), "kill", "-KILL", "--", "-1")
        lose(scene, scene.hosts()[0])
    scene.errors_end()
    scene.never_wrong()


@drill("a zone is gone: its host and its subnet; when it is back, a host of the other one dies")
def zone_gone(scene: Scene) -> None:
    cloud = scene.cloud
    lost = scene.hosts()[-1]
    zone = lost.labels["timeservice.zone"]
    network = cloud.engine.networks.get(f"{cloud.name}-{zone}")
    with scene.load(RATE):
        scene.fault()
        lost.kill()
        parts = [scene.part("balancer"), scene.part("time")]
        for part in parts:
            network.disconnect(part, force=True)
        lost.remove(force=True)
        network.remove()
        scene.until_two_healthy(90, beside={instance_of(lost)})
        zones = {host.labels["timeservice.zone"] for host in scene.hosts()}
        scene.hold(zone not in zones, f"the other zone serves alone ({', '.join(sorted(zones))})")
        time.sleep(5)
    scene.errors_end()
    scene.never_wrong()
    network_without_way_out(cloud, zone)
    network = cloud.engine.networks.get(f"{cloud.name}-{zone}")
    network.connect(parts[0], aliases=["cloud.internal"])
    network.connect(parts[1])
    last = scene.hosts()[0]
    last.kill()  # its successor goes where there are fewer
    scene.until_two_healthy(90, beside={instance_of(last)})
    zones = {host.labels["timeservice.zone"] for host in scene.hosts()}
    scene.hold(len(zones) == 2, "when the zone is back, the next host goes there")
