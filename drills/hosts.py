"""Drills of hosts, and of the containers on them: they die, they hang, they are slow."""

from __future__ import annotations

import time

from docker.models.containers import Container

from drills import outcome
from drills.deployed import instance_of
from drills.registry import drill
from drills.scene import RATE, Scene

SLOW = {"HOST_CPUS": "0.2", "HOST_MEMORY": "1g"}  # a t3.micro without CPU credits


@drill("a host dies: its container is killed")
def host_dies(scene: Scene) -> None:
    with scene.load(RATE):
        lose(scene, scene.hosts()[0])
    scene.errors_end()
    scene.never_wrong()


@drill("a host dies long after its release, when its signal's URL has expired")
def late_replacement(scene: Scene) -> None:
    # An expired URL is refused by S3 with 403, and so is a bucket that the endpoint's policy does not name.
    allowed, expired = "cloudformation-waitcondition-${", "cloudformation-expired-${"
    scene.clone.replace("cfn/network.yaml", allowed, expired)
    try:
        done = scene.clone.make("up")
        scene.hold(done.status == 0, "the endpoint's policy is changed")
        with scene.load(RATE):
            old = set(scene.states())
            lose(scene, scene.hosts()[0])
            (new,) = scene.hosts(set(scene.states()) - old)
            refused = "signal SUCCESS was not taken"
            scene.until(lambda: refused in new.logs().decode(), 60, "its signal is refused")
    finally:
        scene.clone.replace("cfn/network.yaml", expired, allowed)
        scene.clone.make("up")
    scene.errors_end()
    scene.never_wrong()


@drill("both hosts die at once")
def both_hosts_die(scene: Scene) -> None:
    with scene.load(RATE):
        pair = scene.hosts()
        dead = {instance_of(one) for one in pair}
        scene.fault()
        for host in pair:
            host.kill()
        # Both must be missed first, which takes two checks, and their successors then start side by side.
        scene.until_two_healthy(90, beside=dead)
    meanwhile = {outcome.trouble(one) for one in outcome.failures(scene.requests)}
    # A connection to a host that is cut while it is used again cuts the client's: an ALB would say 502.
    expected = {"502", "503", "504", "no answer within 10 s", "the connection was closed"}
    scene.hold(meanwhile <= expected, f"meanwhile there is no answer, or a 50x ({meanwhile})")
    scene.never_wrong()


def lose(scene: Scene, host: Container) -> None:
    instance = instance_of(host)
    scene.fault()
    host.kill()
    scene.until_two_healthy(beside={instance})


@drill("the container on a host dies: its process is killed")
def container_dies(scene: Scene) -> None:
    pair = set(scene.states())
    host = scene.hosts()[0]
    with scene.load(RATE):
        scene.fault()
        scene.run(host, "kill", "-KILL", *processes(scene, host)[:1])
        scene.until(lambda: restarts(scene, host) == "1", 10, "Docker restarts it")
        scene.until_two_healthy()
        time.sleep(scene.two_checks)
    scene.errors_end()
    scene.never_wrong()
    scene.hold(set(scene.states()) == pair, "the host itself stays")


@drill("the container on a host is killed for memory")
def container_out_of_memory(scene: Scene) -> None:
    pair = set(scene.states())
    host = scene.hosts()[0]
    with scene.load(RATE):
        scene.fault()
        for process in processes(scene, host):
            scene.run(host, "sh", "-c", f"echo 1000 >/proc/{process}/oom_score_adj")
        greedy = "kept = []\nwhile True: kept.append(bytearray(10**6))"
        python = ["/usr/bin/python3.13", "-c", greedy]
        scene.run(host, "sh", "-c", 'docker exec timeservice "$@" || true', "sh", *python)
        scene.until_two_healthy()
        time.sleep(scene.two_checks)
    kills = scene.run(
        host, "sh", "-c", "docker logs timeservice 2>&1 | grep -c -i 'SIGKILL\\|Starting gunicorn'"
    )
    scene.hold(int(kills) >= 2, "the kernel killed it")
    scene.errors_end()
    scene.never_wrong()
    scene.hold(set(scene.states()) == pair, "the host itself stays")


@drill("the container on a host hangs (SIGSTOP)")
def container_hangs(scene: Scene) -> None:
    scene.past_grace()
    host = scene.hosts()[0]
    instance = instance_of(host)
    with scene.load(RATE):
        scene.fault()
        scene.run(host, "kill", "-STOP", *processes(scene, host))
        scene.until_out(instance, scene.two_checks)
        # It is drained, for 30 s at most, while its successor starts.
        scene.until_two_healthy(beside={instance})
    scene.errors_end()
    scene.never_wrong()


def processes(scene: Scene, host: Container) -> list[str]:
    """The service's process ids on its host, the master's first."""
    told = scene.run(host, "docker", "top", "timeservice", "-o", "pid").split()
    return sorted(told[1:], key=int)


def restarts(scene: Scene, host: Container) -> str:
    return scene.run(host, "docker", "inspect", "-f", "{{.RestartCount}}", "timeservice").strip()


@drill(
    "slow hosts, 0.2 CPU and 1 GiB each, from their first boot on: a release, a replacement, and what they serve"
)
def slow_hosts(scene: Scene) -> None:
    old = set(scene.states())
    try:
        with scene.load(20.0):
            scene.new_release()
            began = time.time()
            done = scene.clone.make("up", **SLOW)
            scene.hold(done.status == 0, "a release succeeds")
            scene.note(f"a release of slow hosts: {time.time() - began:.0f} s")
            scene.until_two_healthy(beside=old)
            scene.fault()
            lost = scene.hosts()[0]
            lost.kill()
            # Nobody promises a minute here: the template allows 25.
            scene.until_two_healthy(300, beside={instance_of(lost)})
        scene.errors_end()
        scene.never_wrong()
        scene.note(
            f"such a pair serves {capacity(scene):.0f} requests per second without errors, p99 below 1 s"
        )
    finally:
        scene.new_release()
        scene.clone.make("up")


def capacity(scene: Scene) -> float:
    """The highest rate of those tried at which nothing fails and the 99th percentile stays below a second."""
    reached = 0.0
    for rate in (25.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 700.0, 1000.0):
        trial = Scene(scene.clone, scene.cloud)
        with trial.load(rate):
            time.sleep(15)
        slow = outcome.percentile(trial.requests, 0.99)
        if outcome.failures(trial.requests) or slow is None or slow > 1.0:
            break
        reached = rate
    scene.until_two_healthy(120)
    return reached
