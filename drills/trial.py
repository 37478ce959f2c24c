"""A drill in progress: what it may do to the deployment, what it expects, and the load."""

import io
import json
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from docker.errors import NotFound
from docker.models.containers import Container

from deployment import ROOT
from drills.clone import Clone, Done
from drills.load import Request, run_load
from drills.outcome import PAIR, Outcome
from local import stacks
from local.api import client
from local.containers import LABEL, REPORT, Containers, instance_of
from local.steps import wait_until

# Requests per second, unless a drill needs another rate.
RATE = 200.0
# Seconds within which a host's successor serves.
REPLACEMENT = 60.0
# Seconds of the hosts' grace period: in the template, and for a drill that must not wait for it.
GRACE_PERIOD, SHORT_GRACE_PERIOD = 2100, 60
# The longest time in seconds that two failing health checks take. HAProxy begins a check 5 s (the
# interval) after the end of the last one, and it may take 5 s. The controller looks once a second.
TWO_CHECKS = 2 * (5.0 + 5.0) + 1


@dataclass(kw_only=True)
class Trial(Outcome):
    """A drill in progress. pair: the instances that serve when it begins."""

    clone: Clone
    cloud: Containers
    pair: set[str] = field(default_factory=set)

    def hosts(self) -> list[Container]:
        """Return the running hosts, in the order of their zones."""
        return [host for host in self.cloud.machines() if host.status == "running"]

    def new_hosts(self) -> list[Container]:
        """Return the running hosts that were launched since the drill began."""
        return [host for host in self.hosts() if instance_of(host) not in self.pair]

    def states(self) -> dict[str, str]:
        """Return instance -> state as the controller last reported it; {} before any report."""
        while True:
            try:
                # The file stays readable while the controller is away.
                pieces, _ = self.container("controller").get_archive(REPORT)
            except NotFound:
                return {}
            with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
                files = [archive.extractfile(member) for member in archive]
                # If the controller replaces the file meanwhile, the archive is empty.
                if files and files[0]:
                    return {host["instance"]: host["state"] for host in json.load(files[0])}

    def container(self, role: str) -> Container:
        """Return a part of the local cloud. Raises NotFound if there is none of that role."""
        return self.cloud.engine.containers.get(f"{self.cloud.name}-{role}")

    def aws(self, service: str) -> Any:
        return client(self.cloud.endpoint(), service)

    def find_firing_alarms(self) -> set[str]:
        alarms = self.aws("cloudwatch").describe_alarms()["MetricAlarms"]
        return {
            alarm["AlarmName"].split("-")[3].removesuffix("Alarm") or "healthcheck"
            for alarm in alarms
            if alarm["StateValue"] == "ALARM"
        }

    def stacks(self) -> dict[str, str]:
        """Return part of the deployment -> status of its stack."""
        return {
            stack["StackName"].split("-", 2)[2]: stack["StackStatus"]
            for stack in stacks.list_stacks(self.cloud.endpoint())
        }

    def mark_fault(self) -> None:
        """Record this moment as that of the fault."""
        self.fault_at = time.time()

    @contextmanager
    def load(self, rate: float = RATE) -> Iterator[list[Request]]:
        """Request the time, `rate` times per second, during the block, and keep the requests.

        The beginning of the block counts as the fault, unless `mark_fault` is called in the block.
        """
        requests: list[Request] = []
        try:
            with run_load(f"{self.clone.url}/now", rate) as requests:
                self.mark_fault()
                yield requests
        finally:
            self.requests += requests

    def check(self) -> Done:
        """Run the healthcheck. Its reference is this machine's clock, which no drill changes."""
        command = [sys.executable, "-m", "healthcheck", self.clone.url, "--reference", "local"]
        # The check must see both hosts, however busy the balancer is.
        command += ["--instances", "2"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout)

    @contextmanager
    def fault(self, network: str, *command: str) -> Iterator[Container]:
        """Run Python in a container, which may change its network's rules, during the block.

        network: its name, or `container:ID` for that of a container. drills/faults is at /faults.
        """
        container = self.cloud.engine.containers.run(
            self.container("balancer").attrs["Image"],
            ["python3", *command],
            detach=True,
            network=network,
            cap_add=["NET_ADMIN"],
            volumes={str(ROOT / "drills/faults"): {"bind": "/faults", "mode": "ro"}},
            labels={LABEL: self.cloud.name, "timeservice.role": "fault"},
        )
        try:
            yield container
        finally:
            container.stop(timeout=5)
            container.remove(force=True)

    def replace_host(self, host: Container, seconds: float = REPLACEMENT) -> None:
        """Kill a host, and wait until its successor serves."""
        self.mark_fault()
        host.kill()
        self.wait_until_two_healthy(seconds, without={instance_of(host)})

    def edit_release(self) -> None:
        """Change the sources, so that the next `make up` is a release."""
        path = self.clone.folder / "service/__init__.py"
        path.write_text(f"{path.read_text()}# {time.time_ns()}\n")

    def release(self, **variables: str) -> None:
        """Deploy a new release, which must succeed."""
        self.edit_release()
        self.expect(self.clone.make("up", **variables).status == 0, "make up succeeds")

    def set_grace_period(self, seconds: int) -> None:
        scaling = self.aws("autoscaling")
        for group in scaling.describe_auto_scaling_groups()["AutoScalingGroups"]:
            scaling.update_auto_scaling_group(
                AutoScalingGroupName=group["AutoScalingGroupName"], HealthCheckGracePeriod=seconds
            )

    def pass_grace_period(self) -> None:
        """Shorten the hosts' grace period to a minute, and wait until all hosts are older."""
        self.set_grace_period(SHORT_GRACE_PERIOD)
        created = max(host.attrs["Created"][:19] for host in self.hosts())
        age = time.time() - datetime.fromisoformat(f"{created}+00:00").timestamp()
        time.sleep(max(0.0, SHORT_GRACE_PERIOD - age + 2))

    def wait_until(self, happened: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until something has happened; `what` does not hold if it takes longer."""
        in_time = wait_until(happened, seconds * self.patience)
        self.expect(in_time, f"{what} within {seconds:.0f} s")

    def wait_until_two_healthy(
        self, seconds: float = REPLACEMENT, without: set[str] | None = None
    ) -> None:
        """Wait for two healthy hosts and no other, none of them an instance of `without`."""

        def are_two_healthy() -> bool:
            states = self.states()
            healthy = list(states.values()) == ["healthy"] * PAIR
            return healthy and states.keys().isdisjoint(without or ())

        self.wait_until(are_two_healthy, seconds, "two healthy hosts, and no other")

    def wait_until_out(self, instance: str, seconds: float) -> None:
        """Wait until the balancer sends a host no more requests."""
        self.wait_until(
            lambda: self.states().get(instance) != "healthy", seconds, "the host is taken out"
        )

    def expect_same_hosts(self) -> None:
        self.expect(set(self.states()) == self.pair, "no host is replaced")


@contextmanager
def repeat(action: Callable[[], None], period: float) -> Iterator[None]:
    """Call an action every `period` seconds during the block, and ignore its errors."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            # A part that is away may be back at the next call.
            with suppress(Exception):
                action()
            ended.wait(period)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Drill(NamedTuple):
    """A drill. what: the fault, in words. run: causes it, and states what must hold."""

    name: str
    what: str
    run: Callable[[Trial], None]


def drill(what: str) -> Callable[[Callable[[Trial], None]], Drill]:
    """Make a drill of a function; its name is the function's, with hyphens."""

    def make(run: Callable[[Trial], None]) -> Drill:
        return Drill(run.__name__.replace("_", "-"), what, run)

    return make
