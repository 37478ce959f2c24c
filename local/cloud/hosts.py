"""EC2 instances as containers, each with a Docker engine of its own, on the network of its zone."""

import json
import os
import secrets
import subprocess
from typing import Any, NamedTuple

from local.cloud import cloud_api
from local.cloud.cloud_api import ENDPOINT, Group
from local.cloud.engine import cloud
from local.containers import LABEL, instance_of, zone_of

# Some sandboxes refuse --privileged, because they lack CAP_SYS_RESOURCE. A Docker engine in a
# container needs these options there.
UNPRIVILEGED = [
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
]


class LaunchError(RuntimeError):
    """A host does not start; the text has the reason."""


class Host(NamedTuple):
    """A host of this deployment. address: "" after its end."""

    instance: str
    group: str
    zone: str
    address: str
    running: bool


def list_hosts() -> list[Host]:
    """Return all hosts that exist, running or not."""
    return [_parse(container) for container in cloud().machines()]


def _parse(container: Any) -> Host:
    networks = container.attrs["NetworkSettings"]["Networks"]
    return Host(
        instance=instance_of(container),
        group=container.labels["timeservice.group"],
        zone=zone_of(container),
        address=next((network["IPAddress"] for network in networks.values()), ""),
        running=container.status == "running",
    )


def launch(group: Group, zone: str) -> str:
    """Start a host of the group in the zone; return its instance id. Raises LaunchError."""
    instance = f"i-{secrets.token_hex(8)}0"
    name = f"{cloud().name}-{instance}"
    labels = {
        LABEL: cloud().name,
        "timeservice.role": "host",
        "timeservice.group": group.name,
        "timeservice.zone": zone,
        "timeservice.instance": instance,
    }
    # instance.sh reads these.
    environment = {
        "INSTANCE_ID": instance,
        "ZONE": zone,
        "USER_DATA": group.user_data,
        "HOP_LIMIT": str(group.hop_limit),
        "ROLE": json.dumps(cloud_api.assume_role(group.profile, instance)),
        "TIME_SERVER": _find_time_server(zone),
        "INSTALL_SECONDS": os.environ.get("TIMESERVICE_INSTALL_SECONDS", "0"),
        "AWS_ENDPOINT_URL_S3": ENDPOINT,
        "AWS_CONFIG_FILE": "/opt/local/cloud/aws-config",
    }
    options = [
        f"--hostname={instance}",
        f"--network={cloud().network(zone)}",
        f"--volume={name}:/var/lib/docker",
        *_limits(),
        *(f"--label={key}={value}" for key, value in labels.items()),
        *(f"--env={key}={value}" for key, value in environment.items()),
    ]
    remove_volumes()
    cloud().engine.volumes.create(name, labels={LABEL: cloud().name})
    command = [os.environ["CLOUD_IMAGE"], "/opt/local/cloud/instance.sh"]
    result = run_privileged(name, "--detach", *options, *command)
    if result.returncode:
        raise LaunchError(f"a host does not start: {result.stderr.strip()}")
    return instance


def _limits() -> list[str]:
    """Return the share of the machine that a host gets, as options of docker run."""
    options = {"--cpus": os.environ.get("HOST_CPUS"), "--memory": os.environ.get("HOST_MEMORY")}
    return [f"{option}={value}" for option, value in options.items() if value]


def run_privileged(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a container with what a Docker engine inside of it needs; one that fails is removed."""
    for powers in (["--privileged"], UNPRIVILEGED):
        result = _docker("run", f"--name={name}", *powers, *arguments)
        if result.returncode == 0:
            break
        _docker("rm", "--force", name)
        if "operation not permitted" not in result.stderr:
            break
    return result


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


def _find_time_server(zone: str) -> str:
    """Return the time server's address in the zone. Raises LaunchError."""
    server, network = cloud().get_running("time"), cloud().network(zone)
    # Only a container that runs has addresses.
    networks = server.attrs["NetworkSettings"]["Networks"] if server else {}
    if network not in networks:
        raise LaunchError(f"no time server runs on {network}: run make up, or first make down")
    return str(networks[network]["IPAddress"])


def get_last_line(host: Host) -> str:
    """Return the last line that the host has printed."""
    log = cloud().engine.containers.get(f"{cloud().name}-{host.instance}").logs(tail=1)
    return log.decode(errors="replace").strip()


def remove_volumes() -> None:
    """Remove the volumes of hosts that were removed by hand."""
    unused = cloud().filters | {"dangling": "true"}
    for volume in cloud().engine.volumes.list(filters=unused):
        if volume.name.startswith(f"{cloud().name}-i-"):
            volume.remove(force=True)


def terminate(host: Host) -> None:
    """Remove the host with its volume."""
    name = f"{cloud().name}-{host.instance}"
    cloud().engine.containers.get(name).remove(force=True)
    cloud().engine.volumes.get(name).remove(force=True)
