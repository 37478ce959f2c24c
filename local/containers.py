"""The local cloud's containers and networks, each labelled with its deployment; nothing else is ever touched."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.models.images import Image
from docker.types import IPAMConfig, IPAMPool, LogConfig

from local.steps import CloudError

ROOT = Path(__file__).parent.parent
LABEL = "timeservice.deployment"
ZONES = ("us-east-1a", "us-east-1b")
DEFAULT = "timeservice"
PORT = 8080
ROLES = ("api", "time", "balancer", "controller")
CLONE = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]  # as scripts/common.sh calls it
# What the stage's image is made from and by, besides local/stage itself.
STAGE = (
    "local/requirements.txt",
    "deployment/template.py",
    "scripts/stage.sh",
    "scripts/debian.sh",
    "scripts/common.sh",
)
# The default deployment's API keeps one address, so that Pulumi.local.yaml can name it.
DEFAULT_SUBNET = "10.213.0.0/24"
DEFAULT_API = "10.213.0.2"


def files(name: str, root: Path = ROOT) -> Path:
    """The folder of what make up writes for itself."""
    return root / "build" / ("local" if name == DEFAULT else f"local-{name}")


class Containers:
    """One deployment's containers, networks, volumes and images."""

    def __init__(
        self,
        name: str,
        port: int | None = None,
        remembered: int | None = None,
        limits: Mapping[str, str] | None = None,
    ) -> None:
        """port: on 127.0.0.1; by default that of the deployment that is up, else `remembered`, else PORT.
        limits: HOST_CPUS and HOST_MEMORY, which hosts get from now on; all of the machine by default."""
        self.name = name
        self.limits = dict(limits or {})
        try:
            self.engine = docker.from_env()
            self.engine.ping()
        except DockerException as trouble:
            raise CloudError("no Docker engine answers; `make up` starts one") from trouble
        self.filters: Any = {"label": f"{LABEL}={name}"}
        # What scripts/python-image.sh leaves behind when it is interrupted.
        self.unfinished: Any = {"label": f"timeservice.build={CLONE}"}
        self.port = port or self.published() or remembered or PORT

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
            raise CloudError(f"the local cloud {self.name!r} is not up; `make up` starts it")
        networks = container.attrs["NetworkSettings"]["Networks"]
        return str(networks[f"{self.name}-edge"]["IPAddress"])

    def endpoint(self) -> str:
        """URL of the local AWS API."""
        return f"http://{self.address('api')}:4566"

    def said_by(self, address: str) -> str:
        """What a host answers at /now; "" if it does not. The balancer asks, as nobody else is on its network."""
        balancer = self.get("balancer")
        if balancer is None or balancer.status != "running":
            return ""
        result = balancer.exec_run(["curl", "-s", "-m", "2", f"http://{address}/now"])
        return result.output.decode() if isinstance(result.output, bytes) else ""

    def missing(self) -> list[str]:
        """The parts of the local cloud that do not run."""
        found = {role: self.get(role) for role in ROLES}
        return [role for role, one in found.items() if one is None or one.status != "running"]

    def refuse_taken_names(self) -> None:
        """Raises CloudError if somebody else has a container of a name that is to be ours: nothing is done to it."""
        for role in ROLES:
            with suppress(NotFound):
                found = self.engine.containers.get(f"{self.name}-{role}")
                if found.labels.get(LABEL) != self.name:
                    raise self._foreign(f"container {found.name}")

    def has_hosts(self) -> bool:
        return any(one.labels.get("timeservice.role") == "host" for one in self.all())

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

    # Up

    def build_image(self) -> str:
        """The stage's image, made when its sources have changed; returns its tag."""
        digest = hashlib.sha256()
        for path in [*(ROOT / name for name in STAGE), *sorted((ROOT / "local/stage").rglob("*"))]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.read_bytes())
        tag = f"{self.name}-stage:{digest.hexdigest()[:12]}"
        done = subprocess.run([ROOT / "scripts/stage.sh", tag, self.name], check=False)  # noqa: S603 - our own script
        if done.returncode:
            raise CloudError("the local cloud's image cannot be made; the reason is above")
        return tag

    def start(self, image: str) -> bool:
        """Start what does not run yet; returns whether anything had to be started."""
        wanted = self._wanted(image)
        if all(self._runs(role, spec) for role, spec in wanted.items()):
            return False
        if not self._runs("api", wanted["api"]):
            # The API holds everything in memory: what was deployed through an earlier one is gone with it.
            self.remove()
        self._networks()
        for role, spec in wanted.items():
            if not self._runs(role, spec):
                self._start(role, spec)
        return True

    def _wanted(self, image: str) -> dict[str, dict[str, Any]]:
        """The containers by role; the API first, as its address is fixed and another could take it."""
        run = f"{self.name}-run"
        zones = [f"{self.name}-{zone}" for zone in ZONES]
        edge, internet = f"{self.name}-edge", f"{self.name}-internet"
        cloud = {"image": image, "restart_policy": {"Name": "unless-stopped"}}
        # It holds everything in memory: started again by itself, it would know of nothing that runs.
        once = {"restart_policy": {"Name": "no"}}
        python = {"PYTHONPATH": "/opt:/opt/site-packages"}
        return {
            "api": cloud
            | once
            | {
                "command": ["python3", "-m", "local.stage.api"],
                "environment": python
                | {
                    "AUTH": "true",  # IAM is enforced; the key `test` is the account's root
                    "MINISTACK_HOST": "cloud.internal",
                    "MINISTACK_REGION": "us-east-1",
                    "AWS_DEFAULT_REGION": "us-east-1",
                },
                # Lambda functions run in here, outside of the VPC: they see what the Internet sees.
                "networks": {edge: ["cloud.internal"], internet: []},
            },
            "time": cloud
            | {
                "command": ["/opt/local/stage/time_server.sh"],
                # For the healthcheck's function, it is the first of those whom that asks.
                "networks": {edge: [], internet: ["time.aws.com"], **{zone: [] for zone in zones}},
            },
            "balancer": cloud
            | {
                "command": ["/opt/local/stage/balancer.sh"],
                "volumes": {run: {"bind": "/run/balancer", "mode": "rw"}},
                "ports": {"80/tcp": ("127.0.0.1", self.port)},
                "networks": {edge: ["balancer"], **{zone: ["cloud.internal"] for zone in zones}},
            },
            "controller": cloud
            | {
                "command": ["python3", "-m", "local.stage.controller"],
                "volumes": {
                    run: {"bind": "/run/balancer", "mode": "rw"},
                    "/var/run/docker.sock": {"bind": "/var/run/docker.sock", "mode": "rw"},
                },
                "environment": python
                | {
                    "DEPLOYMENT": self.name,
                    "STAGE_IMAGE": image,
                    "AWS_REGION": "us-east-1",
                }
                | self.limits,
                "networks": {edge: []},
            },
        }

    def _runs(self, role: str, spec: dict[str, Any]) -> bool:
        container = self.get(role)
        return (
            container is not None
            and container.status == "running"
            and container.labels.get("timeservice.spec") == _digest(spec)
        )

    def _networks(self) -> None:
        present = {network.name for network in self.engine.networks.list(filters=self.filters)}
        edge = f"{self.name}-edge"
        if edge not in present:
            pool = IPAMPool(DEFAULT_SUBNET) if self.name == DEFAULT else None
            ipam = IPAMConfig(pool_configs=[pool] if pool else None)
            self._network(edge, ipam=ipam)
        for internal in ("internet", *ZONES):
            if f"{self.name}-{internal}" not in present:
                self.network_without_way_out(internal)

    def network_without_way_out(self, zone: str) -> None:
        """Internal: Docker lets nothing out of it, as the templates' route tables let nothing out of the zones.

        Nor does this machine have an address in it, by which a host would find whatever listens here.
        """
        options = {"com.docker.network.bridge.inhibit_ipv4": "true"}
        self._network(f"{self.name}-{zone}", internal=True, options=options)

    def _network(self, name: str, **options: Any) -> None:
        try:
            self.engine.networks.create(name, driver="bridge", labels={LABEL: self.name}, **options)
        except APIError as refused:
            raise CloudError(f"the network {name} cannot be made: {refused.explanation}") from None

    def _start(self, role: str, spec: dict[str, Any]) -> None:
        if (old := self.get(role)) is not None:
            old.remove(force=True, v=True)
        options = {key: value for key, value in spec.items() if key != "networks"}
        for volume in spec.get("volumes", {}):
            if not volume.startswith("/"):
                self._volume(volume)
        first, *others = spec["networks"].items()
        fixed = DEFAULT_API if role == "api" and self.name == DEFAULT else None
        container = self.engine.containers.create(
            **options,
            name=f"{self.name}-{role}",
            hostname=role,
            network=first[0],
            networking_config={
                first[0]: self.engine.api.create_endpoint_config(
                    aliases=first[1], ipv4_address=fixed
                )
            },
            labels={
                LABEL: self.name,
                "timeservice.role": role,
                "timeservice.spec": _digest(spec),
                "timeservice.clone": str(ROOT),
            },
            log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"}),
        )
        for network, aliases in others:
            self.engine.networks.get(network).connect(container, aliases=aliases)
        try:
            container.start()
        except APIError as refused:
            container.remove(force=True, v=True)
            text = str(refused.explanation)
            if f":{self.port}" in text:
                raise CloudError(
                    f"port {self.port} is taken by another program; choose another: make up PORT=8081"
                ) from None
            raise CloudError(f"the container {role} does not start: {text}") from None

    def _volume(self, name: str) -> None:
        volume = self.engine.volumes.create(name, labels={LABEL: self.name})
        if (volume.attrs["Labels"] or {}).get(
            LABEL
        ) != self.name:  # the engine gives the one that is there
            raise self._foreign(f"volume {name}")

    @staticmethod
    def _foreign(what: str) -> CloudError:
        return CloudError(
            f"there is a {what} already, and it is not of this deployment: remove it, or choose another name: "
            "make up NAME=second PORT=8081"
        )

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

    def leftovers(self) -> list[str]:
        """What of this deployment is still there, in words."""
        return [
            *(f"container {one.name}" for one in self.all()),
            *(f"volume {one.name}" for one in self.engine.volumes.list(filters=self.filters)),
            *(f"network {one.name}" for one in self.engine.networks.list(filters=self.filters)),
            *(f"image {one.short_id}" for one in self.images()),
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


def _digest(spec: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]
