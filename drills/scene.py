"""Where a drill plays: a deployment of its own, a load on it, and somebody who writes down what happens."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from docker.models.containers import Container

from deployment.template import Template
from drills import load, outcome
from drills.clone import ROOT, Clone, Done
from drills.load import Request, Running
from drills.outcome import PAIR, Outcome, Seen
from local import stacks
from local.containers import LABEL, Containers

PERIOD = 0.5  # seconds between two looks at the hosts
ALARMS_PERIOD = 5.0
GRACE = 60  # seconds; what a drill puts in the place of the group's 25 minutes, so as not to wait for these
RATE = 200.0  # requests per second, where a drill does not need another
REPLACEMENT = 60.0  # seconds within which a host's successor serves


class Scene:
    """One drill's view of the deployment, and its record."""

    def __init__(self, clone: Clone, cloud: Containers) -> None:
        self.clone, self.cloud = clone, cloud
        self.two_checks = two_checks(clone.folder)
        self.fault_at: float | None = None
        self.requests: list[Request] = []
        self.seen: list[Seen] = []
        self.alarms: list[str] = []
        self.broken: list[str] = []
        self.notes: list[str] = []

    # What a drill says

    def fault(self) -> None:
        """From now on it is broken."""
        self.fault_at = time.time()

    def hold(self, holds: bool, what: str) -> None:
        """what: what must hold, in words."""
        if not holds:
            self.broken.append(what)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def until(self, happened: Callable[[], bool], seconds: float, what: str) -> bool:
        """Wait until it has happened; if it does not within that time, `what` does not hold."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if happened():
                return True
            time.sleep(0.2)
        self.hold(False, f"{what} within {seconds:.0f} s")
        return False

    def until_two_healthy(
        self, seconds: float = REPLACEMENT, beside: set[str] | None = None
    ) -> None:
        """Wait for a healthy pair, and for nothing else to be there; `beside`: that is none of these instances."""

        def happened() -> bool:
            states = self.states()
            gone = not beside or beside.isdisjoint(states)
            return gone and list(states.values()) == ["healthy"] * PAIR

        self.until(happened, seconds, "two healthy hosts, and no other")

    def until_out(self, instance: str, seconds: float) -> None:
        """Wait until the balancer asks that host no more."""
        self.until(lambda: self.states().get(instance) != "healthy", seconds, "it is taken out")

    def none_failed(self) -> None:
        failed = outcome.failures(self.requests)
        self.hold(
            not failed,
            f"no request fails ({len(failed)} did: {outcome.trouble(failed[0])})" if failed else "",
        )

    def errors_end(self, seconds: float | None = None) -> None:
        """They end within that time; by default, within two health checks."""
        seconds = self.two_checks if seconds is None else seconds
        ended = outcome.errors_ended(self.requests, self.fault_at)
        self.hold(
            ended is None or ended <= seconds,
            f"errors end within {seconds:.0f} s (after {ended} s)",
        )

    def never_wrong(self, since: float = 0.0) -> None:
        """Nobody was told a time that is more than a second off."""
        worst = max((one.wrong for one in self.requests if one.due >= since), default=0.0)
        self.hold(worst <= 1.0, f"nobody sees a time more than 1 s wrong ({worst:.2f} s)")

    # What there is

    def states(self) -> dict[str, str]:
        """instance -> state, as the controller last told it."""
        volume = self.cloud.engine.volumes.get(f"{self.cloud.name}-run")
        try:
            told = json.loads((Path(volume.attrs["Mountpoint"]) / "status.json").read_text())
        except (OSError, ValueError):
            return {}
        return {one["instance"]: one["state"] for one in told}

    def hosts(self, instances: set[str] | None = None) -> list[Container]:
        """The running hosts, or those of these instances; the ones in the first zone first."""
        found = [
            one
            for one in self.cloud.all()
            if one.status == "running"
            and (instance := one.labels.get("timeservice.instance"))
            and (instances is None or instance in instances)
        ]
        return sorted(found, key=lambda one: one.labels["timeservice.zone"])

    def part(self, role: str) -> Container:
        found = self.cloud.get(role)
        if found is None:
            raise LookupError(f"there is no {role}")
        return found

    def run(self, container: Container, *command: str, data: bytes = b"") -> str:
        """What a command in a container prints; raises RuntimeError if it fails. data: its standard input."""
        done = subprocess.run(  # noqa: S603 - docker
            ["docker", "exec", "--interactive", container.id or "", *command],  # noqa: S607 - the machine's
            input=data,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode()

    def aws(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.cloud.endpoint(),
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator takes any key
        )

    def stacks(self) -> dict[str, str]:
        found = stacks.deployed(self.cloud.endpoint())
        return {one["StackName"].split("-", 2)[2]: one["StackStatus"] for one in found}

    def healthcheck(self, *arguments: str) -> Done:
        """One check from outside, against NTP servers that no drill touches."""
        command = [sys.executable, "-m", "healthcheck", self.clone.url]
        reference = ["--ntp", f"{self.cloud.address('reference')}:123"]
        done = subprocess.run(  # noqa: S603 - docker
            [*command, *reference, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout)

    # What a drill does

    def sidecar(self, network: str, *command: str) -> Container:
        """Run a fault of ours in a network, or, as `container:ID`, in a container's; it may change its rules."""
        return self.cloud.engine.containers.run(
            self.part("balancer").attrs["Image"],
            ["python3", *command],
            detach=True,
            network=network,
            cap_add=["NET_ADMIN"],
            volumes={str(ROOT / "drills/faults"): {"bind": "/faults", "mode": "ro"}},
            labels={LABEL: self.cloud.name, "timeservice.role": "fault"},
        )

    def past_grace(self) -> None:
        """Let all hosts be older than their grace period, which is 25 minutes, by making that a minute."""
        self.grace(GRACE)
        young = GRACE - min(_age(host) for host in self.hosts())
        time.sleep(max(0.0, young + 2))

    def grace(self, seconds: int) -> None:
        """Give each group that grace period."""
        scaling = self.aws("autoscaling")
        for group in scaling.describe_auto_scaling_groups()["AutoScalingGroups"]:
            scaling.update_auto_scaling_group(
                AutoScalingGroupName=group["AutoScalingGroupName"], HealthCheckGracePeriod=seconds
            )

    def new_release(self) -> None:
        """Change the sources, so that the next `make up` is a release."""
        path = self.clone.folder / "service/__init__.py"
        path.write_text(f"{path.read_text()}# {time.time_ns()}\n")

    @contextmanager
    def load(self, rate: float) -> Iterator[Running]:
        """Ask for the time, `rate` times a second, while the block runs; then its requests are known."""
        running = None
        try:
            with load.running(f"{self.clone.url}/now", rate) as running:
                yield running
        finally:
            if running:
                self.requests += running.requests

    # The record

    @contextmanager
    def watched(self) -> Iterator[None]:
        ended = threading.Event()
        threads = [
            threading.Thread(target=self._watch, args=(ended, look, period))
            for look, period in ((self._look, PERIOD), (self._listen(), ALARMS_PERIOD))
        ]
        for thread in threads:
            thread.start()
        try:
            yield
            self._look()  # how it ends
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    def _watch(self, ended: threading.Event, look: Callable[[], None], period: float) -> None:
        while not ended.is_set():
            with suppress(Exception):  # what is away for the moment will be seen the next time
                look()
            ended.wait(period)

    def _look(self) -> None:
        self.seen.append(Seen(time.time(), self.states()))

    def _listen(self) -> Callable[[], None]:
        """Writes down each change of an alarm."""
        before: dict[str, bool] = {}

        def look() -> None:
            for alarm in self.aws("cloudwatch").describe_alarms()["MetricAlarms"]:
                name = alarm["AlarmName"].split("-")[3].removesuffix("Alarm") or "healthcheck"
                rings = alarm["StateValue"] == "ALARM"
                if before.setdefault(name, rings) != rings:
                    self.alarms.append(f"{name} {'rang' if rings else 'came back'}")
                    before[name] = rings

        return look

    def outcome(self, name: str, what: str, began: float) -> Outcome:
        return Outcome(
            name=name,
            what=what,
            began=began,
            seconds=time.time() - began,
            fault_at=self.fault_at,
            requests=self.requests,
            seen=self.seen,
            alarms=self.alarms,
            broken=self.broken,
            notes=self.notes,
        )


def _properties(folder: Path, part: str, resource: str) -> dict[str, Any]:
    """Of a resource in a clone's template."""
    text = (folder / f"cfn/{part}.yaml").read_text()
    return dict(Template(text).resources[resource]["Properties"])


def grace_period(folder: Path) -> int:
    """What a clone's template says, in seconds."""
    return int(_properties(folder, "hosts", "HostGroup")["HealthCheckGracePeriod"])


def two_checks(folder: Path) -> float:
    """The longest time in seconds that two failing health checks take: here each begins when the interval since the end
    of the one before is over, may connect for as long as that (HAProxy's rule), and may then wait for its time-out. One
    second more, as the controller looks once a second."""
    target = _properties(folder, "balancer", "TargetGroup")
    interval, timeout = target["HealthCheckIntervalSeconds"], target["HealthCheckTimeoutSeconds"]
    return float((interval + max(interval, timeout)) * target["UnhealthyThresholdCount"] + 1)


def instance_of(host: Container) -> str:
    return str(host.labels["timeservice.instance"])


def _age(host: Container) -> float:
    """Seconds since it was launched."""
    return time.time() - datetime.fromisoformat(host.attrs["Created"][:19] + "+00:00").timestamp()
