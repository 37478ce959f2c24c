"""EC2 instances as containers: each with its own Docker engine, on its zone's network, without the Internet."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from datetime import datetime
from typing import Any, NamedTuple

from local.cloud import cloud_api
from local.cloud.cloud_api import ENDPOINT, Group
from local.cloud.engine import engine

DEPLOYMENT = os.environ["DEPLOYMENT"]
IMAGE = os.environ["CLOUD_IMAGE"]
LABEL = "timeservice.deployment"

# What a Docker engine inside a container needs where --privileged is refused (some sandboxes lack CAP_SYS_RESOURCE).
UNPRIVILEGED = [
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
]


# What of the machine a host has, as options of docker run; all of it by default.
LIMITS = [
    f"--{option}={value}"
    for option, variable in (("cpus", "HOST_CPUS"), ("memory", "HOST_MEMORY"))
    if (value := os.environ.get(variable))
]


class LaunchError(RuntimeError):
    """A host does not start; the text says why."""


class Host(NamedTuple):
    """A running or ended host of this deployment."""

    instance: str
    group: str
    zone: str
    address: str  # "" when it has ended, or its network is gone
    running: bool
    started: float  # Unix seconds


def existing() -> list[Host]:
    found = engine().containers.list(
        all=True,
        filters={"label": [f"{LABEL}={DEPLOYMENT}", "timeservice.role=host"]},
        ignore_removed=True,
    )
    return [_host(container) for container in found]


def _host(container: Any) -> Host:
    networks = container.attrs["NetworkSettings"]["Networks"]
    return Host(
        instance=container.labels["timeservice.instance"],
        group=container.labels["timeservice.group"],
        zone=container.labels["timeservice.zone"],
        address=next((one["IPAddress"] for one in networks.values()), ""),
        running=container.status == "running",
        started=datetime.fromisoformat(container.attrs["Created"][:19] + "+00:00").timestamp(),
    )


def launch(group: Group, zone: str) -> str:
    """Start a host of the group in the zone; returns its instance id."""
    instance = f"i-{secrets.token_hex(8)}0"
    name = f"{DEPLOYMENT}-{instance}"
    labels = {
        LABEL: DEPLOYMENT,
        "timeservice.role": "host",
        "timeservice.group": group.name,
        "timeservice.zone": zone,
        "timeservice.instance": instance,
    }
    options = [
        f"--name={name}",
        f"--hostname={instance}",
        f"--network={DEPLOYMENT}-{zone}",
        f"--volume={name}:/var/lib/docker",
        *LIMITS,
        *(f"--label={key}={value}" for key, value in labels.items()),
        *(f"--env={key}={value}" for key, value in _environment(group, instance, zone).items()),
    ]
    engine().volumes.create(name, labels={LABEL: DEPLOYMENT})
    _run(name, options)
    return instance


def _environment(group: Group, instance: str, zone: str) -> dict[str, str]:
    """What instance.sh reads."""
    return {
        "INSTANCE_ID": instance,
        "ZONE": zone,
        "USER_DATA": group.user_data,
        "HOP_LIMIT": str(group.hop_limit),
        "ROLE": json.dumps(cloud_api.role(group.profile, instance)),
        "TIME_SERVER": _address_of(f"{DEPLOYMENT}-time", f"{DEPLOYMENT}-{zone}"),
        "AWS_ENDPOINT_URL_S3": ENDPOINT,
        "AWS_CONFIG_FILE": "/opt/local/cloud/aws-config",
    }


def _run(name: str, options: list[str]) -> None:
    """Privileged where the machine allows it, with the list above where it does not."""
    what = [*options, IMAGE, "/opt/local/cloud/instance.sh"]
    for powers in (["--privileged"], UNPRIVILEGED):
        result = _docker("run", "--detach", *powers, *what)
        if result.returncode == 0:
            return
        _docker("rm", "--force", name)
        if "operation not permitted" not in result.stderr:
            break
    raise LaunchError(f"a host does not start: {result.stderr.strip()}")


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


def _address_of(container: str, network: str) -> str:
    networks = engine().containers.get(container).attrs["NetworkSettings"]["Networks"]
    if network not in networks:
        raise LaunchError(f"{container} is not on the network {network}")
    return str(networks[network]["IPAddress"])


def terminate(host: Host) -> None:
    name = f"{DEPLOYMENT}-{host.instance}"
    engine().containers.get(name).remove(force=True)
    engine().volumes.get(name).remove(force=True)
