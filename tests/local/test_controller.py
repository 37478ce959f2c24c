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
os.environ.setdefault("STAGE_IMAGE", "test")
os.environ.setdefault("AWS_REGION", "us-east-1")

from local.cloud import balancer, cloud_api, hosts, names
from local.cloud import controller as controller_module
from local.cloud.balancer import Server
from local.cloud.cloud_api import Balancing, Group
from local.cloud.controller import Controller
from local.cloud.hosts import Host

GROUP = Group("pair", 2, ["zone-a", "zone-b"], 900, "", 1, "arn:aws:iam::1:instance-profile/p")


class Stage:
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
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    stage = Stage()
    monkeypatch.setattr(cloud_api, "balancing", stage.balancing)
    monkeypatch.setattr(cloud_api, "groups", lambda: stage.groups)
    monkeypatch.setattr(cloud_api, "put_metrics", stage.put_metrics)
    monkeypatch.setattr(balancer, "errors", lambda: dict(stage.errors))
    monkeypatch.setattr(hosts, "existing", lambda: list(stage.hosts.values()))
    monkeypatch.setattr(hosts, "launch", stage.launch)
    monkeypatch.setattr(hosts, "terminate", stage.terminate)
    monkeypatch.setattr(balancer, "apply", lambda *_: True)
    monkeypatch.setattr(balancer, "servers", lambda: dict(stage.servers))
    monkeypatch.setattr(balancer, "register", stage.register)
    monkeypatch.setattr(balancer, "release", stage.release)
    monkeypatch.setattr(balancer, "drain", stage.drain)
    monkeypatch.setattr(names, "publish", lambda _: None)
    monkeypatch.setattr(names, "in_zones", list)
    monkeypatch.setattr(controller_module, "STATUS", tmp_path / "status.json")
    return stage


def steps(controller: Controller, number: int = 4) -> None:
    for _ in range(number):
        controller.step()


def test_a_pair_is_launched_in_two_zones_and_registered_once(stage: Stage) -> None:
    steps(Controller())
    assert stage.zones == ["zone-a", "zone-b"]
    assert stage.launched == len(stage.servers) == 2


def test_a_host_that_has_ended_is_missed_when_its_checks_fail_and_replaced_in_its_zone(
    stage: Stage,
) -> None:
    controller = Controller()
    steps(controller)
    stage.set("i-1", status="UP")
    stage.end("i-1")
    steps(controller)
    assert "i-1" in stage.hosts  # EC2 has not noticed, and neither has the balancer
    assert stage.launched == 2
    stage.servers["10.0.0.1"] = stage.servers["10.0.0.1"]._replace(status="DOWN")
    steps(controller)
    assert "i-1" not in stage.hosts
    assert stage.zones == ["zone-a", "zone-b"]
    assert stage.launched == 3


def test_the_balancer_forgets_a_host_that_has_ended(stage: Stage) -> None:
    controller = Controller()
    for number in range(1, 30):  # many more than it has places
        steps(controller)
        stage.end(f"i-{number}")
    steps(controller)
    assert set(stage.servers) == {host.address for host in stage.hosts.values()}


def test_a_controller_that_starts_again_forgets_what_ended_meanwhile(stage: Stage) -> None:
    steps(Controller())
    stage.end("i-1")
    steps(Controller())
    assert set(stage.servers) == {"10.0.0.2", "10.0.0.3"}


def test_an_address_that_the_next_host_has_got_stays_with_it(stage: Stage) -> None:
    controller = Controller()
    steps(controller)
    stage.set("i-1", status="UP")
    stage.end("i-1")
    stage.hosts["i-9"] = stage.hosts["i-2"]._replace(instance="i-9", address="10.0.0.1")
    steps(controller)
    assert "10.0.0.1" in stage.servers
    assert "i-1" not in stage.hosts


def test_a_zone_that_can_have_no_host_leaves_it_to_the_other(stage: Stage) -> None:
    stage.closed = {"zone-b"}
    controller = Controller()
    steps(controller)
    assert stage.zones == ["zone-a", "zone-a"]
    stage.closed = set()
    stage.end("i-1")
    steps(controller)
    assert stage.zones == ["zone-a", "zone-b"]


def test_without_any_zone_the_next_round_tries_again(stage: Stage) -> None:
    stage.closed = {"zone-a", "zone-b"}
    controller = Controller()
    with pytest.raises(hosts.LaunchError, match="no zone"):
        controller.step()
    stage.closed = set()
    steps(controller)
    assert len(stage.hosts) == 2


@pytest.mark.parametrize(("age", "replaced"), [(899.0, False), (901.0, True)])
def test_an_unhealthy_host_is_replaced_after_its_grace_period(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, age: float, replaced: bool
) -> None:
    controller = Controller()
    steps(controller)
    stage.set("i-1", started=time.time() - age)
    later(monkeypatch, 19)
    steps(controller)
    assert (stage.launched == 3) is replaced


def test_old_hosts_are_not_ill_because_the_balancer_has_forgotten_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = Controller()
    steps(controller)
    for instance in ("i-1", "i-2"):
        stage.set(instance, started=time.time() - 10_000)
    stage.servers.clear()
    later(monkeypatch, 60)
    steps(controller)
    assert stage.launched == 2
    assert {one.status for one in stage.servers.values()} == {"DOWN"}  # until they are checked
    later(monkeypatch, 19)
    steps(controller)
    assert stage.launched == 4  # they are still down, so they are ill


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """It is so many seconds later."""
    now = time.monotonic() + seconds
    monkeypatch.setattr(time, "monotonic", lambda: now)


def test_a_leaving_host_finishes_its_requests_first(stage: Stage) -> None:
    controller = Controller()
    steps(controller)
    stage.groups = []
    steps(controller)
    assert len(stage.hosts) == 2
    assert all(server.status == "DRAIN" for server in stage.servers.values())
    stage.set("i-1", sessions=0)
    steps(controller)
    assert list(stage.hosts) == ["i-2"]


def test_patience_with_a_leaving_host_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    controller = Controller()
    steps(controller)
    stage.groups = []
    steps(controller)
    later = time.monotonic() + 31
    monkeypatch.setattr(time, "monotonic", lambda: later)
    steps(controller)
    assert stage.hosts == {}


def test_a_release_leaves_the_old_pair_alone_until_its_group_goes(stage: Stage) -> None:
    controller = Controller()
    steps(controller)
    stage.groups = [GROUP, GROUP._replace(name="next")]
    steps(controller)
    assert stage.zones == ["zone-a", "zone-a", "zone-b", "zone-b"]
    assert not any(server.status == "DRAIN" for server in stage.servers.values())


def test_a_controller_that_starts_again_does_not_launch_more(stage: Stage) -> None:
    steps(Controller())
    steps(Controller())
    assert stage.launched == 2


def test_hosts_go_when_nothing_is_deployed_any_more(stage: Stage) -> None:
    controller = Controller()
    steps(controller)
    stage.deployed = False
    steps(controller)
    assert stage.hosts == {}


def test_the_state_of_each_host_is_told(stage: Stage) -> None:
    controller = Controller()
    steps(controller)
    stage.set("i-1", status="UP")
    controller.step()
    told = json.loads(controller_module.STATUS.read_text())
    assert {one["instance"]: one["state"] for one in told} == {"i-1": "healthy", "i-2": "unhealthy"}


def test_each_minute_the_hosts_and_the_new_errors_are_reported(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller_module, "METRICS_PERIOD", -1)  # each round
    controller = Controller()
    steps(controller, 2)
    stage.set("i-1", status="UP")
    for count in (5, 7, 3):  # the last after HAProxy has begun to count again
        stage.errors = {"HTTPCode_ELB_5XX_Count": count}
        controller.step()
    assert [one["HTTPCode_ELB_5XX_Count"] for one in stage.reported[-3:]] == [5, 2, 3]
    assert stage.reported[-1]["HealthyHostCount"] == stage.reported[-1]["UnHealthyHostCount"] == 1


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
