"""The local Auto Scaling keeps the number of hosts, replaces unhealthy ones, and drains leaving
ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from docker.errors import NotFound

from local import containers
from local.cloud import balancer, cloud_api, engine, hosts
from local.cloud import controller as controller_module
from local.cloud.balancer import Server
from local.cloud.cloud_api import Balancing, Group
from local.cloud.controller import Controller
from local.cloud.hosts import Host
from local.containers import LABEL, Containers

GROUP = Group("pair", 2, ["zone-a", "zone-b"], 900, "", 1, "arn:aws:iam::1:instance-profile/p", 2)


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
        self.reported: list[tuple[dict[str, int], dict[str, int]]] = []

    def balancing(self) -> Balancing | None:
        delay = {"deregistration_delay.timeout_seconds": "30"}
        empty: dict[str, Any] = {"DNSName": "balancer.example"}
        return Balancing(empty, {}, {}, delay, [], {}) if self.deployed else None

    def launch(self, group: Group, zone: str) -> str:
        if zone in self.closed:
            raise hosts.LaunchError(zone)
        self.launched += 1
        instance = f"i-{self.launched}"
        address = f"10.0.0.{self.launched}"
        self.hosts[instance] = Host(instance, group.name, zone, address, True)
        return instance

    def terminate(self, host: Host) -> None:
        del self.hosts[host.instance]

    def register(self, address: str) -> None:
        self.servers[address] = Server(f"host{address[-1]}", address, "DOWN", 0, False)

    def free_slot(self, server: Server) -> None:
        del self.servers[server.address]

    def drain(self, server: Server) -> None:
        self.servers[server.address] = server._replace(status="DRAIN", sessions=1)

    def put_metrics(self, _: Balancing, hosts: dict[str, int], errors: dict[str, int]) -> None:
        self.reported.append((dict(hosts), errors))

    def set(self, instance: str, **changes: Any) -> None:
        """Change a host, or its server where the host has no such field."""
        host = self.hosts[instance]
        if set(changes) <= set(Host._fields):
            self.hosts[instance] = host._replace(**changes)
        else:
            self.servers[host.address] = self.servers[host.address]._replace(**changes)

    def end(self, instance: str) -> None:
        """End a host. The engine then returns no address for it."""
        self.set(instance, running=False, address="")

    @property
    def zones(self) -> list[str]:
        return sorted(host.zone for host in self.hosts.values())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    world = World()
    monkeypatch.setattr(cloud_api, "get_balancing", world.balancing)
    monkeypatch.setattr(cloud_api, "list_groups", lambda: world.groups)
    monkeypatch.setattr(cloud_api, "put_metrics", world.put_metrics)
    monkeypatch.setattr(balancer, "count_errors", lambda: dict(world.errors))
    monkeypatch.setattr(hosts, "list_hosts", lambda: list(world.hosts.values()))
    monkeypatch.setattr(hosts, "launch", world.launch)
    monkeypatch.setattr(hosts, "terminate", world.terminate)
    monkeypatch.setattr(hosts, "get_last_line", lambda host: f"{host.instance} says why")
    monkeypatch.setattr(balancer, "apply", lambda *_: True)
    monkeypatch.setattr(balancer, "list_servers", lambda: dict(world.servers))
    monkeypatch.setattr(balancer, "register", world.register)
    monkeypatch.setattr(balancer, "free_slot", world.free_slot)
    monkeypatch.setattr(balancer, "drain", world.drain)
    monkeypatch.setattr(engine, "publish_name", lambda _: None)
    monkeypatch.setattr(engine, "list_zone_addresses", list)
    monkeypatch.setattr(controller_module, "STATUS", tmp_path / "status.json")
    return world


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Set the clocks by hand; the wall clock is a million seconds ahead."""
    clock = SimpleNamespace(now=500.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "time", lambda: 1_000_000 + clock.now)
    return clock


def run_rounds(controller: Controller, number: int = 4) -> None:
    for _ in range(number):
        controller.run_round()


def test_a_pair_is_launched_in_two_zones_and_registered_once(world: World) -> None:
    run_rounds(Controller())
    assert world.zones == ["zone-a", "zone-b"]
    assert world.launched == len(world.servers) == 2


def test_a_host_that_has_ended_is_missed_when_its_checks_fail_and_replaced_in_its_zone(
    world: World,
) -> None:
    controller = Controller()
    run_rounds(controller)
    world.set("i-1", status="UP")
    world.end("i-1")
    run_rounds(controller)
    assert "i-1" in world.hosts  # EC2 has not noticed, and neither has the balancer
    assert world.launched == 2
    world.servers["10.0.0.1"] = world.servers["10.0.0.1"]._replace(status="DOWN")
    run_rounds(controller)
    assert "i-1" not in world.hosts
    assert world.zones == ["zone-a", "zone-b"]
    assert world.launched == 3


def test_the_balancer_forgets_a_host_that_has_ended(world: World) -> None:
    controller = Controller()
    for number in range(1, 30):  # many more than the balancer has slots
        controller.failures.clear()
        run_rounds(controller)
        world.end(f"i-{number}")
    run_rounds(controller)
    assert set(world.servers) == {host.address for host in world.hosts.values()}


def test_a_controller_that_starts_again_forgets_what_ended_meanwhile(world: World) -> None:
    run_rounds(Controller())
    world.end("i-1")
    run_rounds(Controller())
    assert set(world.servers) == {"10.0.0.2", "10.0.0.3"}


def test_an_address_that_the_next_host_has_got_stays_with_it(world: World) -> None:
    controller = Controller()
    run_rounds(controller)
    world.set("i-1", status="UP")
    world.end("i-1")
    world.hosts["i-9"] = world.hosts["i-2"]._replace(instance="i-9", address="10.0.0.1")
    run_rounds(controller)
    assert "10.0.0.1" in world.servers
    assert "i-1" not in world.hosts


def test_hosts_that_do_not_last_are_launched_less_and_less_often(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.groups = [GROUP._replace(desired=1)]
    controller = Controller()
    launched: list[int] = []
    for second in range(200):
        monkeypatch.setattr(time, "monotonic", lambda second=second: float(second))
        controller.run_round()
        if world.launched > len(launched):
            launched.append(second)
            world.end(f"i-{world.launched}")
    assert launched == [0, 1, 4, 11, 26, 57, 118, 179]
    assert "i-1 has ended; its last line: i-1 says why" in capsys.readouterr().out
    # A host that ends after a long time is replaced at once.
    monkeypatch.setattr(time, "monotonic", lambda: 2000.0)
    run_rounds(controller)
    monkeypatch.setattr(time, "monotonic", lambda: 2061.0)
    world.end(f"i-{world.launched}")
    before = world.launched
    run_rounds(controller, 2)
    assert world.launched == before + 1


@pytest.mark.parametrize(("age", "launched"), [(59.9, 2), (60.0, 3)])
def test_a_host_that_lasts_a_minute_is_no_failed_launch(
    world: World, clock: SimpleNamespace, age: float, launched: int
) -> None:
    """After two failed launches, the next one waits."""
    world.groups = [GROUP._replace(desired=1)]
    controller = Controller()
    run_rounds(controller)
    for instance in ("i-1", "i-2"):
        clock.now += age
        world.end(instance)
        run_rounds(controller)
    assert world.launched == launched


@pytest.mark.parametrize(("age", "launched"), [(299.9, 0), (300.0, 1)])
def test_a_failed_launch_is_forgotten_after_five_minutes(
    world: World, clock: SimpleNamespace, age: float, launched: int
) -> None:
    """After three failed launches, the next one waits for 6 s; after one, it does not wait."""
    world.groups = [GROUP._replace(desired=1)]
    world.closed = {"zone-a", "zone-b"}
    controller = Controller()
    for seconds in (0, 0, 299):
        clock.now = 500.0 + seconds
        with pytest.raises(hosts.LaunchError):
            controller.run_round()
    world.closed = set()
    clock.now = 500.0 + age
    controller.run_round()
    assert world.launched == launched


@pytest.mark.parametrize(("sizes", "slots"), [([], 12), ([2], 12), ([2, 7], 28), ([100], 400)])
def test_the_balancer_has_places_for_two_releases_and_their_replacements(
    sizes: list[int], slots: int
) -> None:
    groups = [GROUP._replace(most=size) for size in sizes]
    assert controller_module.count_slots(groups) == slots


def test_a_zone_that_can_have_no_host_leaves_it_to_the_other(world: World) -> None:
    world.closed = {"zone-b"}
    controller = Controller()
    run_rounds(controller)
    assert world.zones == ["zone-a", "zone-a"]
    world.closed = set()
    world.end("i-1")
    run_rounds(controller)
    assert world.zones == ["zone-a", "zone-b"]


def test_the_zone_with_the_fewest_hosts_gets_the_next_one(world: World) -> None:
    world.closed = {"zone-b"}
    controller = Controller()
    run_rounds(controller)
    world.closed = set()
    world.groups = [GROUP._replace(desired=4)]
    run_rounds(controller)
    assert world.zones == ["zone-a", "zone-a", "zone-b", "zone-b"]


def test_without_any_zone_the_next_round_tries_again(world: World) -> None:
    world.closed = {"zone-a", "zone-b"}
    controller = Controller()
    with pytest.raises(hosts.LaunchError, match="no zone"):
        controller.run_round()
    world.closed = set()
    run_rounds(controller)
    assert len(world.hosts) == 2


@pytest.mark.parametrize(("age", "replaced"), [(900.0, False), (900.1, True)])
def test_an_unhealthy_host_is_replaced_after_its_grace_period(
    world: World, clock: SimpleNamespace, age: float, replaced: bool
) -> None:
    controller = Controller()
    run_rounds(controller)
    world.set("i-2", status="UP")
    clock.now += age
    run_rounds(controller)
    assert (world.launched == 3) is replaced


def test_hosts_are_not_ill_because_the_balancer_or_the_controller_has_forgotten_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = Controller()
    run_rounds(controller)
    later(monkeypatch, 1000)
    world.servers.clear()
    run_rounds(controller)
    controller = Controller()
    run_rounds(controller)
    assert world.launched == 2
    # A server is down until its first check.
    assert {server.status for server in world.servers.values()} == {"DOWN"}
    later(monkeypatch, 1000)
    run_rounds(controller)
    assert world.launched == 4


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the clock advance by that many seconds."""
    now = time.monotonic() + seconds
    monkeypatch.setattr(time, "monotonic", lambda: now)


def test_a_leaving_host_finishes_its_requests_first(world: World) -> None:
    controller = Controller()
    run_rounds(controller)
    world.groups = []
    run_rounds(controller)
    assert len(world.hosts) == 2
    assert all(server.status == "DRAIN" for server in world.servers.values())
    world.set("i-1", sessions=0)
    run_rounds(controller)
    assert list(world.hosts) == ["i-2"]


def test_patience_with_a_leaving_host_ends(world: World, clock: SimpleNamespace) -> None:
    controller = Controller()
    run_rounds(controller)
    world.groups = []
    run_rounds(controller)
    clock.now += 30
    run_rounds(controller)
    assert len(world.hosts) == 2
    clock.now += 0.1
    run_rounds(controller)
    assert world.hosts == {}


def test_a_release_leaves_the_old_pair_alone_until_its_group_goes(world: World) -> None:
    controller = Controller()
    run_rounds(controller)
    world.groups = [GROUP, GROUP._replace(name="next")]
    run_rounds(controller)
    assert world.zones == ["zone-a", "zone-a", "zone-b", "zone-b"]
    assert not any(server.status == "DRAIN" for server in world.servers.values())


def test_a_controller_that_starts_again_does_not_launch_more(world: World) -> None:
    run_rounds(Controller())
    run_rounds(Controller())
    assert world.launched == 2


def test_hosts_go_when_nothing_is_deployed_any_more(world: World) -> None:
    controller = Controller()
    run_rounds(controller)
    world.deployed = False
    run_rounds(controller)
    assert world.hosts == {}


def states() -> dict[str, str]:
    """Return the states that the controller has written, by instance."""
    report = json.loads(controller_module.STATUS.read_text())
    return {host["instance"]: host["state"] for host in report}


def test_the_state_of_each_host_is_reported(world: World) -> None:
    controller = Controller()
    controller.run_round()
    assert states() == {}
    controller.run_round()
    assert states() == {"i-1": "booting", "i-2": "booting"}
    run_rounds(controller)
    world.set("i-1", status="UP")
    controller.run_round()
    assert states() == {"i-1": "healthy", "i-2": "booting"}
    world.set("i-1", status="DOWN")
    controller.run_round()
    assert states() == {"i-1": "unhealthy", "i-2": "booting"}
    world.end("i-1")
    controller.run_round()
    assert states() == {"i-1": "ended", "i-2": "booting"}
    world.groups = []
    controller.run_round()
    assert set(states().values()) == {"draining"}


def test_the_report_says_since_when_a_host_is_unhealthy_and_when_it_may_be_replaced(
    world: World, clock: SimpleNamespace
) -> None:
    controller = Controller()
    run_rounds(controller)
    for now, status in ((560.0, "UP"), (600.0, "DOWN"), (690.0, "DOWN")):
        clock.now = now
        world.set("i-1", status=status)
        controller.run_round()
    report = json.loads(controller_module.STATUS.read_text())
    (host,) = [host for host in report if host["instance"] == "i-1"]
    assert (host["state"], host["since"]) == ("unhealthy", 1_000_600)
    # The host's grace period began when it got its slot of the balancer.
    assert host["replaced_at"] == 1_000_500 + GROUP.grace_period
    world.set("i-1", status="UP")
    controller.run_round()
    report = json.loads(controller_module.STATUS.read_text())
    (host,) = [host for host in report if host["instance"] == "i-1"]
    assert (host["state"], host["replaced_at"]) == ("healthy", None)


def test_a_launch_that_fails_freezes_no_report(world: World) -> None:
    """A removed host would be listed as healthy for as long as no other can be launched."""
    controller = Controller()
    run_rounds(controller)
    world.set("i-1", status="UP")
    world.set("i-2", status="UP")
    controller.run_round()
    assert states() == {"i-1": "healthy", "i-2": "healthy"}
    world.closed = {"zone-a", "zone-b"}
    world.terminate(world.hosts["i-1"])
    for _ in range(2):
        with pytest.raises(hosts.LaunchError):
            controller.run_round()
    assert states() == {"i-2": "healthy"}


def test_where_nothing_is_deployed_the_report_is_empty_and_young(world: World) -> None:
    world.deployed = False
    Controller().run_round()
    assert states() == {}


def test_rounds_are_rarer_while_all_hosts_are_healthy_and_nothing_changes(
    world: World, clock: SimpleNamespace
) -> None:
    controller = Controller()
    run_rounds(controller)
    clock.now = 600.0
    assert controller.get_pause() == 1  # the hosts boot
    for instance in ("i-1", "i-2"):
        world.set(instance, status="UP")
    controller.run_round()
    for now, pause in ((600.0, 1), (660.0, 1), (660.1, 5)):
        clock.now = now
        controller.run_round()
        assert controller.get_pause() == pause
    world.set("i-1", status="DOWN")
    controller.run_round()
    assert controller.get_pause() == 1


def test_a_host_that_leaves_before_it_has_a_server_goes_at_once(world: World) -> None:
    controller = Controller()
    controller.run_round()
    assert world.servers == {}
    world.groups = []
    controller.run_round()
    assert states() == {"i-1": "draining", "i-2": "draining"}
    controller.run_round()
    assert world.hosts == {}


def test_the_loop_goes_on_after_an_error_and_prints_each_new_one_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost, refused = ConnectionError("the API is away"), ValueError("bad rule")
    rounds = iter([lost, lost, None, lost, refused, KeyboardInterrupt()])
    pauses: list[float] = []

    def run_round(_: Controller) -> None:
        error = next(rounds)
        if error:
            raise error

    monkeypatch.setattr(Controller, "run_round", run_round)
    monkeypatch.setattr(time, "sleep", pauses.append)
    with pytest.raises(KeyboardInterrupt):
        controller_module.main()
    assert pauses == [1] * 5
    assert capsys.readouterr().out.splitlines() == [
        "ConnectionError: the API is away",
        "ConnectionError: the API is away",
        "ValueError: bad rule",
    ]


def test_each_minute_the_hosts_and_the_new_errors_are_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller_module, "METRICS_PERIOD", -1)  # report in each round
    controller = Controller()
    run_rounds(controller, 2)
    world.set("i-1", status="UP")
    # Before the last value, HAProxy has begun to count from 0 again.
    for count in (5, 7, 7, 3):
        world.errors = {"HTTPCode_ELB_5XX_Count": count}
        controller.run_round()
    hosts = {"HealthyHostCount": 1, "UnHealthyHostCount": 1}
    assert world.reported[-4:] == [
        (hosts, {"HTTPCode_ELB_5XX_Count": 5}),
        (hosts, {"HTTPCode_ELB_5XX_Count": 2}),
        (hosts, {"HTTPCode_ELB_5XX_Count": 0}),
        (hosts, {"HTTPCode_ELB_5XX_Count": 3}),
    ]
    world.set("i-1", status="DOWN")
    controller.run_round()
    assert world.reported[-1][0] == {"HealthyHostCount": 0, "UnHealthyHostCount": 2}


def test_metrics_are_reported_at_once_and_then_each_minute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = Controller()
    reports = []
    for now in (0.0, 60.0, 60.5, 61.0, 121.0):
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        controller.run_round()
        reports.append(len(world.reported))
    assert reports == [1, 1, 2, 2, 3]


def test_metrics_of_hosts_have_the_target_group_and_those_of_errors_only_the_balancer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[dict[str, Any]] = []
    cloudwatch = SimpleNamespace(put_metric_data=lambda **request: requests.append(request))
    monkeypatch.setattr(cloud_api, "client", lambda _: cloudwatch)
    arn = "arn:aws:elasticloadbalancing:us-east-1:1:"
    aws = Balancing(
        {"LoadBalancerArn": f"{arn}loadbalancer/app/x/1"},
        {},
        {"TargetGroupArn": f"{arn}targetgroup/y/2"},
        {},
        [],
        {},
    )
    cloud_api.put_metrics(aws, {"HealthyHostCount": 2}, {"HTTPCode_ELB_5XX_Count": 3})
    balancer_dimension = {"Name": "LoadBalancer", "Value": "app/x/1"}
    target_dimension = {"Name": "TargetGroup", "Value": "targetgroup/y/2"}
    assert requests == [
        {
            "Namespace": "AWS/ApplicationELB",
            "MetricData": [
                {
                    "MetricName": "HealthyHostCount",
                    "Value": 2,
                    "Dimensions": [balancer_dimension, target_dimension],
                },
                {
                    "MetricName": "HTTPCode_ELB_5XX_Count",
                    "Value": 3,
                    "Dimensions": [balancer_dimension],
                },
            ],
        }
    ]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables and files of the controller's container."""
    monkeypatch.setattr(containers, "connect", MagicMock)
    monkeypatch.setattr(hosts, "cloud", lambda: Containers("test", 8080))
    monkeypatch.setenv("CLOUD_IMAGE", "test-cloud:1")
    monkeypatch.delenv("HOST_CPUS", raising=False)
    monkeypatch.delenv("HOST_MEMORY", raising=False)


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({}, set()),
        ({"HOST_CPUS": "0.2"}, {"--cpus=0.2"}),
        ({"HOST_CPUS": "0.2", "HOST_MEMORY": "1g"}, {"--cpus=0.2", "--memory=1g"}),
    ],
)
def test_a_host_is_as_small_as_it_is_asked_to_be(
    variables: dict[str, str],
    options: set[str],
    environment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[list[str]] = []
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)

    def record(command: list[str], **_: Any) -> SimpleNamespace:
        runs.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", record)
    monkeypatch.setattr(hosts, "_find_time_server", lambda _: "10.0.0.9")
    monkeypatch.setattr(cloud_api, "assume_role", lambda profile, instance: {"Role": profile})
    instance = hosts.launch(GROUP, "zone-a")
    assert re.fullmatch("i-[0-9a-f]{17}", instance)
    (run,) = runs
    limits = {option for option in run if option.startswith(("--cpus", "--memory"))}
    assert limits == options
    assert "--network=test-zone-a" in run
    assert f'--env=ROLE={{"Role": "{GROUP.profile}"}}' in run


USED = ("children_user", "children_system")


def test_the_installation_of_docker_works_as_long_as_on_aws_where_that_is_asked_for() -> None:
    environment = {**os.environ, "INSTALL_SECONDS": "1"}
    before = os.times()
    subprocess.run(["local/cloud/bin/dnf", "install", "docker"], env=environment, check=True)
    after = os.times()
    user, system = (getattr(after, key) - getattr(before, key) for key in USED)
    assert user + system >= 0.9


def test_a_host_is_privileged_where_the_machine_allows_it_and_else_almost(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[list[str]] = []

    def refuse(command: list[str], **options: Any) -> SimpleNamespace:
        assert options == {"capture_output": True, "text": True, "check": False}
        if command[1] == "run":
            runs.append(command)
        if "--privileged" in command:
            return SimpleNamespace(returncode=1, stderr="operation not permitted")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", refuse)
    hosts.run_privileged("host", "--hostname=host")
    assert ["--privileged" in command for command in runs] == [True, False]
    assert set(hosts.UNPRIVILEGED) <= set(runs[1])


def test_a_host_that_does_not_start_says_why(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = SimpleNamespace(returncode=125, stderr="no such network")
    commands: list[list[str]] = []

    def fail(command: list[str], **_: Any) -> SimpleNamespace:
        commands.append(command[:3])
        return broken

    monkeypatch.setattr(subprocess, "run", fail)
    monkeypatch.setattr(hosts, "_find_time_server", lambda _: "10.0.0.9")
    monkeypatch.setattr(cloud_api, "assume_role", lambda *_: {})
    with pytest.raises(hosts.LaunchError, match="a host does not start: no such network"):
        hosts.launch(GROUP, "zone-a")
    # A second try with other privileges would not help.
    assert [command[1] for command in commands] == ["run", "rm"]


class Engine:
    """An engine with two hosts and the time server of the deployment `test`."""

    def __init__(self) -> None:
        self.removed: list[tuple[str, bool]] = []
        networks = {"test-zone-a": {"IPAddress": "10.0.0.9"}}
        self.time = self.container("time", "running", networks)
        self.hosts = [
            self.container("i-1", "running", {"test-zone-a": {"IPAddress": "10.0.0.1"}}),
            self.container("i-2", "exited", {}),
        ]
        self.containers = SimpleNamespace(list=self.list_containers, get=self.get)
        self.volumes = SimpleNamespace(get=self.get, list=self.list_volumes)

    def container(self, instance: str, status: str, networks: dict[str, Any]) -> Any:
        labels = {
            LABEL: "test",
            "timeservice.instance": instance,
            "timeservice.group": "pair",
            "timeservice.zone": "zone-a",
        }
        attrs = {"NetworkSettings": {"Networks": networks}}
        return SimpleNamespace(name=instance, labels=labels, attrs=attrs, status=status)

    def list_containers(self, **options: Any) -> list[Any]:
        labels = ["timeservice.deployment=test", "timeservice.role=host"]
        assert options == {"all": True, "filters": {"label": labels}, "ignore_removed": True}
        return self.hosts

    def get(self, name: str) -> Any:
        if name == "test-time":
            if self.time is None:
                raise NotFound("no such container")
            return self.time

        def logs(tail: int) -> bytes:
            assert tail == 1
            return f"{name} says why\n".encode()

        return SimpleNamespace(
            name=name, logs=logs, remove=lambda force: self.removed.append((name, force))
        )

    def list_volumes(self, filters: dict[str, str]) -> list[Any]:
        assert filters == {"label": "timeservice.deployment=test", "dangling": "true"}
        return [self.get("test-i-9"), self.get("test-run")]


@pytest.fixture
def machines(environment: None, monkeypatch: pytest.MonkeyPatch) -> Engine:
    machines = Engine()
    monkeypatch.setattr(containers, "connect", lambda: machines)
    return machines


def test_the_hosts_are_all_of_the_deployment_running_or_not(machines: Engine) -> None:
    assert hosts.list_hosts() == [
        Host("i-1", "pair", "zone-a", "10.0.0.1", True),
        Host("i-2", "pair", "zone-a", "", False),
    ]


def test_a_host_goes_with_its_volume_though_it_runs(machines: Engine) -> None:
    hosts.terminate(hosts.list_hosts()[0])
    assert machines.removed == [("test-i-1", True)] * 2


def test_the_volumes_of_hosts_that_were_removed_by_hand_go_and_no_other(machines: Engine) -> None:
    hosts.remove_volumes()
    assert machines.removed == [("test-i-9", True)]


def test_a_host_that_has_ended_is_asked_for_its_last_line(machines: Engine) -> None:
    assert hosts.get_last_line(hosts.list_hosts()[1]) == "test-i-2 says why"


def test_no_host_is_launched_that_could_not_set_its_clock(machines: Engine) -> None:
    machines.time.status = "exited"
    with pytest.raises(hosts.LaunchError, match="no time server runs on test-zone-a: run make up"):
        hosts._find_time_server("zone-a")
    machines.time = None
    with pytest.raises(hosts.LaunchError, match="no time server runs on test-zone-a"):
        hosts._find_time_server("zone-a")


def test_a_host_asks_the_time_server_in_its_own_zone(machines: Engine) -> None:
    assert hosts._find_time_server("zone-a") == "10.0.0.9"
    with pytest.raises(hosts.LaunchError, match="no time server runs on test-zone-b"):
        hosts._find_time_server("zone-b")
