"""The local Auto Scaling: as many hosts as wanted, the unhealthy replaced, the leaving drained."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

os.environ.setdefault("DEPLOYMENT", "test")
os.environ.setdefault("CLOUD_IMAGE", "test")
os.environ.setdefault("AWS_REGION", "us-east-1")

from local.cloud import balancer, cloud_api, hosts, names
from local.cloud import controller as controller_module
from local.cloud.balancer import Server
from local.cloud.cloud_api import Balancing, Group
from local.cloud.controller import Controller
from local.cloud.hosts import Host

GROUP = Group("pair", 2, ["zone-a", "zone-b"], 900, "", 1, "arn:aws:iam::1:instance-profile/p")


class World:
    """What the controller sees and does, instead of the API, the engine and HAProxy."""

    def __init__(self) -> None:
        self.deployed = True
        self.groups = [GROUP]
        self.hosts: dict[str, Host] = {}
        self.servers: dict[str, Server] = {}
        self.launched = 0
        self.closed: set[str] = set()  # zones
        self.errors = {"HTTPCode_ELB_5XX_Count": 0}
        self.reported: list[dict[str, int]] = []

    def balancing(self) -> Balancing | None:
        delay = {"deregistration_delay.timeout_seconds": "30"}
        empty: dict[str, Any] = {"DNSName": "balancer.example"}
        checks = {
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 4,
            "HealthyThresholdCount": 2,
        }
        return Balancing(empty, {}, checks, delay, [], {}) if self.deployed else None

    def launch(self, group: Group, zone: str) -> str:
        if zone in self.closed:
            raise hosts.LaunchError(zone)
        self.launched += 1
        instance = f"i-{self.launched}"
        address = f"10.0.0.{self.launched}"
        self.hosts[instance] = Host(instance, group.name, zone, address, True, time.time())
        return instance

    def terminate(self, host: Host) -> None:
        del self.hosts[host.instance]

    def register(self, address: str) -> None:
        self.servers[address] = Server(f"host{address[-1]}", address, "DOWN", 0)

    def release(self, server: Server) -> None:
        del self.servers[server.address]

    def drain(self, server: Server) -> None:
        self.servers[server.address] = server._replace(status="DRAIN", sessions=1)

    def put_metrics(self, _: Balancing, hosts: dict[str, int], answers: dict[str, int]) -> None:
        self.reported.append(hosts | answers)

    def set(self, instance: str, **changes: Any) -> None:
        """Change a host, or its server where the host has no such field."""
        host = self.hosts[instance]
        if set(changes) <= set(Host._fields):
            self.hosts[instance] = host._replace(**changes)
        else:
            self.servers[host.address] = self.servers[host.address]._replace(**changes)

    def end(self, instance: str) -> None:
        """The engine does not tell where a host was that has ended."""
        self.set(instance, running=False, address="")

    @property
    def zones(self) -> list[str]:
        return sorted(host.zone for host in self.hosts.values())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    world = World()
    monkeypatch.setattr(cloud_api, "balancing", world.balancing)
    monkeypatch.setattr(cloud_api, "groups", lambda: world.groups)
    monkeypatch.setattr(cloud_api, "put_metrics", world.put_metrics)
    monkeypatch.setattr(balancer, "errors", lambda: dict(world.errors))
    monkeypatch.setattr(hosts, "existing", lambda: list(world.hosts.values()))
    monkeypatch.setattr(hosts, "launch", world.launch)
    monkeypatch.setattr(hosts, "terminate", world.terminate)
    monkeypatch.setattr(balancer, "apply", lambda *_: True)
    monkeypatch.setattr(balancer, "servers", lambda: dict(world.servers))
    monkeypatch.setattr(balancer, "register", world.register)
    monkeypatch.setattr(balancer, "release", world.release)
    monkeypatch.setattr(balancer, "drain", world.drain)
    monkeypatch.setattr(names, "publish", lambda _: None)
    monkeypatch.setattr(names, "in_zones", list)
    monkeypatch.setattr(controller_module, "STATUS", tmp_path / "status.json")
    return world


def steps(controller: Controller, number: int = 4) -> None:
    for _ in range(number):
        controller.step()


def test_a_pair_is_launched_in_two_zones_and_registered_once(world: World) -> None:
    steps(Controller())
    assert world.zones == ["zone-a", "zone-b"]
    assert world.launched == len(world.servers) == 2


def test_a_host_that_has_ended_is_missed_when_its_checks_fail_and_replaced_in_its_zone(
    world: World,
) -> None:
    controller = Controller()
    steps(controller)
    world.set("i-1", status="UP")
    world.end("i-1")
    steps(controller)
    assert "i-1" in world.hosts  # EC2 has not noticed, and neither has the balancer
    assert world.launched == 2
    world.servers["10.0.0.1"] = world.servers["10.0.0.1"]._replace(status="DOWN")
    steps(controller)
    assert "i-1" not in world.hosts
    assert world.zones == ["zone-a", "zone-b"]
    assert world.launched == 3


def test_the_balancer_forgets_a_host_that_has_ended(world: World) -> None:
    controller = Controller()
    for number in range(1, 30):  # many more than it has places
        steps(controller)
        world.end(f"i-{number}")
    steps(controller)
    assert set(world.servers) == {host.address for host in world.hosts.values()}


def test_a_controller_that_starts_again_forgets_what_ended_meanwhile(world: World) -> None:
    steps(Controller())
    world.end("i-1")
    steps(Controller())
    assert set(world.servers) == {"10.0.0.2", "10.0.0.3"}


def test_an_address_that_the_next_host_has_got_stays_with_it(world: World) -> None:
    controller = Controller()
    steps(controller)
    world.set("i-1", status="UP")
    world.end("i-1")
    world.hosts["i-9"] = world.hosts["i-2"]._replace(instance="i-9", address="10.0.0.1")
    steps(controller)
    assert "10.0.0.1" in world.servers
    assert "i-1" not in world.hosts


def test_a_zone_that_can_have_no_host_leaves_it_to_the_other(world: World) -> None:
    world.closed = {"zone-b"}
    controller = Controller()
    steps(controller)
    assert world.zones == ["zone-a", "zone-a"]
    world.closed = set()
    world.end("i-1")
    steps(controller)
    assert world.zones == ["zone-a", "zone-b"]


def test_without_any_zone_the_next_round_tries_again(world: World) -> None:
    world.closed = {"zone-a", "zone-b"}
    controller = Controller()
    with pytest.raises(hosts.LaunchError, match="no zone"):
        controller.step()
    world.closed = set()
    steps(controller)
    assert len(world.hosts) == 2


@pytest.mark.parametrize(("age", "replaced"), [(899.0, False), (901.0, True)])
def test_an_unhealthy_host_is_replaced_after_its_grace_period(
    world: World, monkeypatch: pytest.MonkeyPatch, age: float, replaced: bool
) -> None:
    controller = Controller()
    steps(controller)
    world.set("i-1", started=time.time() - age)
    later(monkeypatch, 19)
    steps(controller)
    assert (world.launched == 3) is replaced


def test_old_hosts_are_not_ill_because_the_balancer_has_forgotten_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = Controller()
    steps(controller)
    for instance in ("i-1", "i-2"):
        world.set(instance, started=time.time() - 10_000)
    world.servers.clear()
    later(monkeypatch, 60)
    steps(controller)
    assert world.launched == 2
    assert {one.status for one in world.servers.values()} == {"DOWN"}  # until they are checked
    later(monkeypatch, 19)
    steps(controller)
    assert world.launched == 4  # they are still down, so they are ill


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """It is so many seconds later."""
    now = time.monotonic() + seconds
    monkeypatch.setattr(time, "monotonic", lambda: now)


def test_a_leaving_host_finishes_its_requests_first(world: World) -> None:
    controller = Controller()
    steps(controller)
    world.groups = []
    steps(controller)
    assert len(world.hosts) == 2
    assert all(server.status == "DRAIN" for server in world.servers.values())
    world.set("i-1", sessions=0)
    steps(controller)
    assert list(world.hosts) == ["i-2"]


def test_patience_with_a_leaving_host_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    controller = Controller()
    steps(controller)
    world.groups = []
    steps(controller)
    later = time.monotonic() + 31
    monkeypatch.setattr(time, "monotonic", lambda: later)
    steps(controller)
    assert world.hosts == {}


def test_a_release_leaves_the_old_pair_alone_until_its_group_goes(world: World) -> None:
    controller = Controller()
    steps(controller)
    world.groups = [GROUP, GROUP._replace(name="next")]
    steps(controller)
    assert world.zones == ["zone-a", "zone-a", "zone-b", "zone-b"]
    assert not any(server.status == "DRAIN" for server in world.servers.values())


def test_a_controller_that_starts_again_does_not_launch_more(world: World) -> None:
    steps(Controller())
    steps(Controller())
    assert world.launched == 2


def test_hosts_go_when_nothing_is_deployed_any_more(world: World) -> None:
    controller = Controller()
    steps(controller)
    world.deployed = False
    steps(controller)
    assert world.hosts == {}


def test_the_state_of_each_host_is_told(world: World) -> None:
    controller = Controller()
    steps(controller)
    world.set("i-1", status="UP")
    controller.step()
    told = json.loads(controller_module.STATUS.read_text())
    assert {one["instance"]: one["state"] for one in told} == {"i-1": "healthy", "i-2": "unhealthy"}


def test_each_minute_the_hosts_and_the_new_errors_are_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller_module, "METRICS_PERIOD", -1)  # each round
    controller = Controller()
    steps(controller, 2)
    world.set("i-1", status="UP")
    for count in (5, 7, 3):  # the last after HAProxy has begun to count again
        world.errors = {"HTTPCode_ELB_5XX_Count": count}
        controller.step()
    assert [one["HTTPCode_ELB_5XX_Count"] for one in world.reported[-3:]] == [5, 2, 3]
    assert world.reported[-1]["HealthyHostCount"] == world.reported[-1]["UnHealthyHostCount"] == 1


def test_a_host_is_as_small_as_it_is_asked_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[list[str]] = []
    monkeypatch.setattr(hosts, "_run", lambda _, options: runs.append(options))
    monkeypatch.setattr(hosts, "_address_of", lambda *_: "10.0.0.9")
    monkeypatch.setattr(cloud_api, "role", lambda profile, instance: {"Role": profile})
    volumes = SimpleNamespace(create=lambda *_, **__: None)
    monkeypatch.setattr(hosts, "engine", lambda: SimpleNamespace(volumes=volumes))
    monkeypatch.setattr(hosts, "LIMITS", ["--cpus=0.2", "--memory=1g"])
    hosts.launch(GROUP, "zone-a")
    assert {"--cpus=0.2", "--memory=1g", "--network=test-zone-a"} <= set(runs[0])
    assert f'--env=ROLE={{"Role": "{GROUP.profile}"}}' in runs[0]


def test_a_host_is_privileged_where_the_machine_allows_it_and_else_almost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[list[str]] = []

    def refuse(command: list[str], **_: Any) -> SimpleNamespace:
        if command[1] == "run":
            runs.append(command)
        refused = "--privileged" in command
        return SimpleNamespace(returncode=int(refused), stderr="operation not permitted" * refused)

    monkeypatch.setattr(subprocess, "run", refuse)
    hosts._run("host", ["--hostname=host"])
    assert ["--privileged" in command for command in runs] == [True, False]
    assert set(hosts.UNPRIVILEGED) <= set(runs[1])


def test_a_host_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = SimpleNamespace(returncode=125, stderr="no such network")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: broken)
    with pytest.raises(RuntimeError, match="a host does not start: no such network"):
        hosts._run("host", [])
