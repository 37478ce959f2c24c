"""Starts the local cloud's containers, on networks of their own."""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool, LogConfig

from deployment.errors import UserError
from local.containers import DEFAULT, LABEL, ROLES, ROOT, ZONES, Containers
from local.parts import Spec, digest, parts

# The sources of the local cloud's image, besides local/cloud itself.
SOURCES = (
    "local/requirements.txt",
    "deployment/template.py",
    "scripts/cloud.sh",
    "scripts/debian.sh",
    "scripts/common.sh",
)
# The default deployment's API keeps one address, so that Pulumi.local.yaml can name it.
DEFAULT_SUBNET = "10.213.0.0/24"
DEFAULT_API = "10.213.0.2"
LOG = LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"})


def build_image(cloud: Containers) -> str:
    """Make the local cloud's image if its sources have changed; return its tag."""
    made_from = hashlib.sha256()
    for path in [*(ROOT / name for name in SOURCES), *sorted((ROOT / "local/cloud").rglob("*"))]:
        if path.is_file() and "__pycache__" not in path.parts:
            made_from.update(path.read_bytes())
    tag = f"{cloud.name}-cloud:{made_from.hexdigest()[:12]}"
    done = subprocess.run([ROOT / "scripts/cloud.sh", tag, cloud.name], check=False)
    if done.returncode:
        raise UserError("the local cloud's image cannot be made; the reason is above")
    return tag


def start(cloud: Containers, image: str) -> bool:
    """Start what does not run yet; returns whether anything had to be started."""
    wanted = parts(cloud, image)
    if all(_runs(cloud, role, spec) for role, spec in wanted.items()):
        return False
    if not _runs(cloud, "api", wanted["api"]):
        # The API holds everything in memory: what was deployed through an earlier one is gone with it.
        cloud.remove()
    _make_networks(cloud)
    for role, spec in wanted.items():
        if not _runs(cloud, role, spec):
            _start(cloud, role, spec)
    return True


def _runs(cloud: Containers, role: str, spec: Spec) -> bool:
    container = cloud.get(role)
    return (
        container is not None
        and container.status == "running"
        and container.labels.get("timeservice.spec") == digest(spec)
    )


# Networks


def _make_networks(cloud: Containers) -> None:
    present = {network.name for network in cloud.engine.networks.list(filters=cloud.filters)}
    if cloud.network("edge") not in present:
        pool = IPAMPool(DEFAULT_SUBNET) if cloud.name == DEFAULT else None
        _network(cloud, "edge", ipam=IPAMConfig(pool_configs=[pool] if pool else None))
    for internal in ("internet", *ZONES):
        if cloud.network(internal) not in present:
            network_without_way_out(cloud, internal)


def network_without_way_out(cloud: Containers, zone: str) -> None:
    """Internal: Docker lets nothing out of it, as the templates' route tables let nothing out of the zones.

    Nor does this machine have an address in it, by which a host would find whatever listens here.
    """
    options = {"com.docker.network.bridge.inhibit_ipv4": "true"}
    _network(cloud, zone, internal=True, options=options)


def _network(cloud: Containers, zone: str, **options: Any) -> None:
    name = cloud.network(zone)
    try:
        cloud.engine.networks.create(name, driver="bridge", labels={LABEL: cloud.name}, **options)
    except APIError as refused:
        raise UserError(f"the network {name} cannot be made: {refused.explanation}") from None


# Containers


def _start(cloud: Containers, role: str, spec: Spec) -> None:
    if (old := cloud.get(role)) is not None:
        old.remove(force=True, v=True)
    for volume in spec.get("volumes", {}):
        if not volume.startswith("/"):
            _volume(cloud, volume)
    container = _created(cloud, role, spec)
    try:
        container.start()
    except APIError as refused:
        container.remove(force=True, v=True)
        raise UserError(f"the container {role} does not start: {refused.explanation}") from None


def _created(cloud: Containers, role: str, spec: Spec) -> Any:
    """It is on all of its networks before it starts."""
    (network, aliases), *others = spec["networks"].items()
    fixed = DEFAULT_API if role == "api" and cloud.name == DEFAULT else None
    endpoint = cloud.engine.api.create_endpoint_config(aliases=aliases, ipv4_address=fixed)
    container = cloud.engine.containers.create(
        **{key: value for key, value in spec.items() if key != "networks"},
        name=f"{cloud.name}-{role}",
        hostname=role,
        network=network,
        networking_config={network: endpoint},
        labels={
            LABEL: cloud.name,
            "timeservice.role": role,
            "timeservice.spec": digest(spec),
            "timeservice.clone": str(ROOT),
        },
        log_config=LOG,
    )
    for network, aliases in others:
        cloud.engine.networks.get(network).connect(container, aliases=aliases)
    return container


# Names that are taken: nothing is done to what is another's


def refuse_taken_names(cloud: Containers) -> None:
    """Raises UserError if somebody else has a container of a name that is to be ours."""
    for role in ROLES:
        with suppress(NotFound):
            found = cloud.engine.containers.get(f"{cloud.name}-{role}")
            if found.labels.get(LABEL) != cloud.name:
                raise _foreign(f"container {found.name}")


def _volume(cloud: Containers, name: str) -> None:
    """The engine gives the one that is there, when it is asked for a new one."""
    volume = cloud.engine.volumes.create(name, labels={LABEL: cloud.name})
    if (volume.attrs["Labels"] or {}).get(LABEL) != cloud.name:
        raise _foreign(f"volume {name}")


def _foreign(what: str) -> UserError:
    return UserError(
        f"there is a {what} already, and it is not of this deployment: remove it, or choose another name: "
        "make up NAME=second PORT=8081"
    )
