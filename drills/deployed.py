"""The deployment that drills are played on: what there is of it, and what may be done to it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from drills.clone import ROOT, Clone, Done
from local import stacks
from local.api import client
from local.containers import LABEL, Containers

GRACE = 60  # seconds; what a drill puts in the place of the group's 25 minutes, so as not to wait for these


class Deployed:
    """A clone's deployment."""

    def __init__(self, clone: Clone, cloud: Containers) -> None:
        self.clone, self.cloud = clone, cloud

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
        done = subprocess.run(
            ["docker", "exec", "--interactive", container.id or "", *command],
            input=data,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode()

    def aws(self, service: str) -> Any:
        return client(self.cloud.endpoint(), service)

    def stacks(self) -> dict[str, str]:
        found = stacks.deployed(self.cloud.endpoint())
        return {one["StackName"].split("-", 2)[2]: one["StackStatus"] for one in found}

    def healthcheck(self, *arguments: str) -> Done:
        """One check from outside, against NTP servers that no drill touches."""
        command = [sys.executable, "-m", "healthcheck", self.clone.url]
        reference = ["--ntp", f"{self.cloud.address('reference')}:123"]
        done = subprocess.run(
            [*command, *reference, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout)

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


def instance_of(host: Container) -> str:
    return str(host.labels["timeservice.instance"])


def _age(host: Container) -> float:
    """Seconds since it was launched."""
    return time.time() - datetime.fromisoformat(host.attrs["Created"][:19] + "+00:00").timestamp()
