"""The local cloud's containers and networks, each labelled with its deployment; nothing else is ever touched."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.models.images import Image

from deployment.errors import UserError

ROOT = Path(__file__).parent.parent
LABEL = "timeservice.deployment"
ZONES = ("us-east-1a", "us-east-1b")
DEFAULT = "timeservice"
PORT = 8080
ROLES = ("api", "time", "balancer", "controller")
CLONE = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]  # as scripts/common.sh calls it


class Containers:
    """One deployment's containers, networks, volumes and images."""

    def __init__(
        self,
        name: str,
        port: int | None = None,
        limits: Mapping[str, str] | None = None,
    ) -> None:
        """port: on 127.0.0.1; by default that of the deployment that is up, else PORT.
        limits: HOST_CPUS and HOST_MEMORY, which hosts get from now on; all of the machine by default."""
        self.name = name
        self.limits = dict(limits or {})
        try:
            self.engine = docker.from_env()
            self.engine.ping()
        except DockerException as trouble:
            raise UserError("no Docker engine answers; `make up` starts one") from trouble
        self.filters: Any = {"label": f"{LABEL}={name}"}
        # What scripts/python-image.sh leaves behind when it is interrupted.
        self.unfinished: Any = {"label": f"timeservice.build={CLONE}"}
        self.port = port or self.published() or PORT

    def network(self, zone: str) -> str:
        return f"{self.name}-{zone}"

    # What is there

    def published(self) -> int | None:
        """The port of the balancer's, whether it runs or not; None if there is no balancer."""
        balancer = self.get("balancer")
        if balancer is None:
            return None
        (binding,) = balancer.attrs["HostConfig"]["PortBindings"]["80/tcp"]
        return int(binding["HostPort"])

    def all(self) -> list[Container]:
        # One that goes while they are listed is left out; it would be an error otherwise.
        found = self.engine.containers.list(all=True, filters=self.filters, ignore_removed=True)
        return list(found)

    def get(self, role: str) -> Container | None:
        """None also for a container of that name that is not this deployment's: nothing is done to it."""
        try:
            found = self.engine.containers.get(f"{self.name}-{role}")
        except NotFound:
            return None
        return found if found.labels.get(LABEL) == self.name else None

    def address(self, role: str) -> str:
        """The container's address on the edge network, reachable from this machine only."""
        container = self.get(role)
        if container is None or container.status != "running":
            raise UserError(f"the local cloud {self.name!r} is not up; `make up` starts it")
        networks = container.attrs["NetworkSettings"]["Networks"]
        return str(networks[self.network("edge")]["IPAddress"])

    def endpoint(self) -> str:
        """URL of the local AWS API."""
        return f"http://{self.address('api')}:4566"

    def missing(self) -> list[str]:
        """The parts of the local cloud that do not run."""
        found = {role: self.get(role) for role in ROLES}
        return [role for role, one in found.items() if one is None or one.status != "running"]

    def refuse_if_not_up(self) -> None:
        if missing := self.missing():
            raise UserError(
                f"the local cloud {self.name!r} is not up (no {', no '.join(missing)}); "
                "`make up` starts or mends it"
            )

    def machines(self) -> list[Container]:
        """The hosts' containers, whether they run or not; in the order of their zones."""
        found = [one for one in self.all() if one.labels.get("timeservice.role") == "host"]
        return sorted(found, key=lambda one: (one.labels["timeservice.zone"], str(one.name)))

    def hosts(self) -> list[dict[str, Any]]:
        """The hosts as the controller last told them; [] before it has said anything."""
        controller = self.get("controller")
        if controller is None or controller.status != "running":
            return []
        result = controller.exec_run(["cat", "/run/balancer/status.json"])
        if result.exit_code != 0 or not isinstance(result.output, bytes):
            return []
        return list(json.loads(result.output))

    def owner(self) -> str | None:
        """The clone that started this deployment; None when it is not there."""
        owners = (container.labels.get("timeservice.clone") for container in self.all())
        return next((owner for owner in owners if owner), None)

    def refuse_another_clone(self) -> None:
        owner = self.owner()
        if owner is not None and owner != str(ROOT) and Path(owner).exists():
            raise UserError(
                f"the deployment {self.name!r} belongs to the clone {owner}: "
                "run make down there, or choose another name and port: make up NAME=second PORT=8081"
            )

    def leftovers(self) -> list[str]:
        """What of this deployment is still there, in words."""
        return [
            *(f"container {one.name}" for one in self.all()),
            *(f"volume {one.name}" for one in self.engine.volumes.list(filters=self.filters)),
            *(f"network {one.name}" for one in self.engine.networks.list(filters=self.filters)),
            *(f"image {one.short_id}" for one in self.images()),
        ]

    # Down

    def remove(self) -> None:
        """Remove every container, network and volume of this deployment; done twice, it finds nothing."""
        # The controller first: it would put new hosts in the place of those that go.
        deadline = time.monotonic() + 30
        while (left := self.all()) and time.monotonic() < deadline:
            for container in sorted(left, key=lambda one: one.name != f"{self.name}-controller"):
                _remove(container)
        # What somebody else uses stays, and leftovers() tells.
        for volume in self.engine.volumes.list(filters=self.filters):
            with suppress(APIError):
                volume.remove(force=True)
        for network in self.engine.networks.list(filters=self.filters):
            with suppress(APIError):
                network.remove()

    def remove_images(self) -> None:
        for container in self.engine.containers.list(
            all=True, filters=self.unfinished, ignore_removed=True
        ):
            container.remove(force=True)
        for image in self.images():
            with suppress(APIError):  # as above
                image.remove(force=True)

    def images(self) -> list[Image]:
        return [
            *self.engine.images.list(filters=self.filters),
            *self.engine.images.list(filters=self.unfinished),
        ]


def _remove(container: Container) -> None:
    try:
        container.remove(force=True, v=True)
    except NotFound:
        pass
    except APIError as refused:
        if refused.status_code != 409:  # the controller has begun to remove it
            raise
        time.sleep(0.2)
