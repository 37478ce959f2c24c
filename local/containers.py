"""The containers, networks, volumes and images of one deployment.

Each has a label with the name of the deployment, and nothing without that label is ever touched.
"""

import hashlib
import json
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.models.images import Image

from deployment import ROOT
from deployment.errors import UserError

LABEL = "timeservice.deployment"
ANOTHER_NAME = "remove it, or choose another name and port: NAME=second PORT=8081"
ZONES = ("us-east-1a", "us-east-1b")
DEFAULT = "timeservice"
PORT = 8080
# The controller writes into this folder what HAProxy and make status read.
RUN = "/run/balancer"
REPORT = f"{RUN}/status.json"
# Seconds; the controller reports every second, or every five while nothing changes.
LATE = 30
# Seconds for a request. A busy engine may take minutes, and only a hang takes this long.
ENGINE_SECONDS = 300
# Seconds for a command in a container; only a hang takes this long.
COMMAND_SECONDS = 120
ROLES = ("api", "time", "balancer", "controller")
# scripts/common.sh marks in the same way what belongs to this clone.
CLONE = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]


def connect() -> docker.DockerClient:
    """Return a client of the engine. Raises what docker and requests raise.

    Without a version, from_env would ask for it at once, and through a proxy of the environment.
    """
    probe = docker.from_env(version="1.41", timeout=ENGINE_SECONDS)
    probe.api.trust_env = False
    version = probe.api.get(f"{probe.api.base_url}/_ping").headers["API-Version"]
    engine = docker.from_env(version=version, timeout=ENGINE_SECONDS)
    engine.api.trust_env = False
    return engine


def get_architecture(engine: docker.DockerClient) -> str:
    """Return the architecture of the engine's machine, by AWS's name."""
    return str(engine.version()["Arch"]).replace("amd64", "x86_64")


def read_stats(container: Container) -> Any:
    """Return the engine's present figures of a container, by the names of its API."""
    # one_shot: the engine takes no second sample, which would need another second.
    return container.stats(stream=False, one_shot=True)


def instance_of(host: Container) -> str:
    return str(host.labels["timeservice.instance"])


def zone_of(host: Container) -> str:
    return str(host.labels["timeservice.zone"])


def execute(container: Container, *command: str, data: bytes = b"") -> str:
    """Run a command in a container, with `data` as its input, and return its output.

    Raises RuntimeError if the command fails, and TimeoutExpired if it does not end.
    """
    # docker-py is not used here: it loses the output of some commands that end at once.
    docker_exec = ["docker", "exec", "--interactive", str(container.id), *command]
    done = subprocess.run(
        docker_exec, input=data, capture_output=True, check=False, timeout=COMMAND_SECONDS
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


class Containers:
    """The parts of one deployment in the Docker engine."""

    def __init__(self, name: str, port: int | None = None) -> None:
        """port: on 127.0.0.1; by default the present one of the deployment, else PORT.

        Raises UserError if no engine responds.
        """
        self.name = name
        try:
            self.engine = connect()
        except (DockerException, requests.RequestException) as error:
            raise UserError("no Docker engine responds; make up starts one") from error
        self.filters: Any = {"label": f"{LABEL}={name}"}
        # Another label than the containers', because a container inherits those of its image.
        self.cloud_images: Any = {"label": f"timeservice.cloud={name}"}
        # An interrupted scripts/python-image.sh leaves these behind.
        self.unfinished: Any = {"label": f"timeservice.build={CLONE}"}
        self.port = port or self.find_port() or PORT

    def find_port(self) -> int | None:
        """Return the port that the balancer publishes, whether it runs or not."""
        balancer = self.get("balancer")
        if balancer is None:
            return None
        (binding,) = balancer.attrs["HostConfig"]["PortBindings"]["80/tcp"]
        return int(binding["HostPort"])

    def network(self, zone: str) -> str:
        return f"{self.name}-{zone}"

    def all(self) -> list[Container]:
        # Without ignore_removed, a container that goes during the listing would be an error.
        return list(
            self.engine.containers.list(all=True, filters=self.filters, ignore_removed=True)
        )

    def get(self, role: str) -> Container | None:
        """Return the container, or None if the one of that name is not of this deployment."""
        try:
            container = self.engine.containers.get(f"{self.name}-{role}")
        except NotFound:
            return None
        return container if container.labels.get(LABEL) == self.name else None

    def get_running(self, role: str) -> Container | None:
        container = self.get(role)
        return container if container and container.status == "running" else None

    def address(self, role: str) -> str:
        """Return the address on the edge network, which only this machine reaches."""
        container = self.get_running(role)
        if container is None:
            raise UserError(f"the local cloud {self.name!r} is not up; make up starts it")
        networks = container.attrs["NetworkSettings"]["Networks"]
        return str(networks[self.network("edge")]["IPAddress"])

    def endpoint(self) -> str:
        """Return the URL of the local AWS API."""
        return f"http://{self.address('api')}:4566"

    def url(self) -> str:
        """Return the service's URL for the programs of this clone.

        In the toolbox, 127.0.0.1 may be a virtual machine's, which has no published port.
        """
        if os.environ.get("TOOLBOX") == "inside":
            return f"http://{self.address('balancer')}"
        return f"http://127.0.0.1:{self.port}"

    def check_up(self) -> None:
        """Raise UserError if a part of the local cloud does not run."""
        missing = [role for role in ROLES if not self.get_running(role)]
        if missing:
            raise UserError(
                f"the local cloud {self.name!r} is not up (no {', no '.join(missing)}); "
                "make up starts or repairs it"
            )

    def machines(self) -> list[Container]:
        """Return the hosts' containers in the order of their zones, running or not."""
        filters: Any = {"label": [self.filters["label"], "timeservice.role=host"]}
        machines = self.engine.containers.list(all=True, filters=filters, ignore_removed=True)
        return sorted(machines, key=lambda host: (zone_of(host), str(host.name)))

    def hosts(self) -> list[dict[str, Any]]:
        """Return the hosts from the controller's last report; [] before the first report.

        Raises UserError if the report is old, because the hosts may be in any state by now.
        """
        age, report = self._read_report()
        if age > LATE:
            raise UserError(
                f"the controller has reported nothing for {age} s, and nothing replaces hosts "
                "without it; make up starts it again, and make logs HOST=controller has its lines"
            )
        return report

    def is_controller_late(self) -> bool:
        return self._read_report()[0] > LATE

    def _read_report(self) -> tuple[int, list[dict[str, Any]]]:
        """Return the report's age in seconds, by the clock that wrote it, and the report."""
        read = f"date +%s; stat -c %Y {REPORT}; cat {REPORT}"
        lines = self.run("controller", "bash", "-ec", read).splitlines()
        if len(lines) != 3:
            return 0, []
        now, written, report = lines
        return int(now) - int(written), list(json.loads(report))

    def run(self, role: str, *command: str) -> str:
        """Return what the command prints in that part; "" if it fails or the part does not run."""
        container = self.get_running(role)
        try:
            return execute(container, *command) if container else ""
        except (RuntimeError, subprocess.TimeoutExpired):
            return ""

    def owner(self) -> str | None:
        """Return the clone that started this deployment, or the last one that took it over."""
        # A clone that takes a deployment over starts at least a new controller.
        containers = sorted(self.all(), key=lambda item: item.name != f"{self.name}-controller")
        owners = (container.labels.get("timeservice.clone") for container in containers)
        return next((owner for owner in owners if owner), None)

    def check_owner(self) -> None:
        """Raise UserError if the deployment belongs to another clone that still exists.

        From the toolbox, other clones cannot be seen, so there ADOPT=1 says that it is gone.
        """
        owner = self.owner()
        if owner in (None, str(ROOT)) or os.environ.get("ADOPT"):
            return
        in_toolbox = os.environ.get("TOOLBOX") == "inside"
        if in_toolbox or Path(str(owner)).exists():
            hint = ". If that clone is deleted or moved, add ADOPT=1" if in_toolbox else ""
            raise UserError(
                f"the deployment {self.name!r} belongs to the clone {owner}: run make down there, "
                f"or choose another name and port: NAME=second PORT=8081{hint}"
            )

    def images(self) -> list[Image]:
        """Return the local cloud's images, and what unfinished builds have left.

        Images that are made from ours inherit its labels, but not its name.
        """
        return [
            *self.engine.images.list(f"{self.name}-cloud", filters=self.cloud_images),
            *self.engine.images.list(filters=self.unfinished),
        ]

    def leftovers(self) -> list[str]:
        """Return in words what of this deployment still exists."""
        return [
            *(f"container {item.name}" for item in self.all()),
            *(f"volume {item.name}" for item in self.engine.volumes.list(filters=self.filters)),
            *(f"network {item.name}" for item in self.engine.networks.list(filters=self.filters)),
            *(f"image {item.short_id}" for item in self.images()),
        ]

    def remove(self) -> None:
        """Remove all containers, networks and volumes of this deployment.

        What somebody else uses stays, and leftovers() lists it.
        """
        deadline = time.monotonic() + 30
        while (containers := self.all()) and time.monotonic() < deadline:
            # The controller goes first, because it would replace the hosts.
            containers.sort(key=lambda item: item.name != f"{self.name}-controller")
            for container in containers:
                # The controller may be removing this host already.
                with suppress(APIError):
                    container.remove(force=True, v=True)
        for volume in self.engine.volumes.list(filters=self.filters):
            with suppress(APIError):
                volume.remove(force=True)
        for network in self.engine.networks.list(filters=self.filters):
            with suppress(APIError):
                network.remove()

    def remove_images(self) -> None:
        """Remove the images of this deployment, and what unfinished builds have left."""
        for container in self.engine.containers.list(
            all=True, filters=self.unfinished, ignore_removed=True
        ):
            container.remove(force=True)
        for image in self.images():
            with suppress(APIError):
                image.remove(force=True)
