"""Start the local cloud's containers, each on networks of its own."""

import json
import os
import subprocess
from http import HTTPStatus
from typing import Any

from docker.errors import APIError
from docker.types import LogConfig

from deployment import ROOT
from deployment.errors import UserError
from local.cloud.hosts import run_privileged
from local.containers import ANOTHER_NAME, LABEL, REPORT, RUN, ZONES, Containers

LOG = LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"})
NETWORKS = ("edge", "internet", *ZONES)
VOLUMES = ("run", "api")
# The API saves here what is deployed.
STATE = "/var/lib/ministack"
SOCKET = "/var/run/docker.sock"
# The toolbox sets this path, which is on the engine's machine.
ENGINE_SOCKET = os.environ.get("ENGINE_SOCKET", SOCKET)
PYTHON = {"PYTHONPATH": "/opt:/opt/site-packages"}
# The share of the machine that each new host gets, and the CPU seconds that it takes to install
# Docker. 0.2 CPUs are a t3.micro without CPU credits.
LIMITS = ("HOST_CPUS", "HOST_MEMORY", "TIMESERVICE_INSTALL_SECONDS")

Spec = dict[str, Any]


def build_image(cloud: Containers) -> str:
    """Make the local cloud's image if its sources have changed; return its tag."""
    script = str(ROOT / "scripts/cloud.sh")
    if subprocess.run([script, cloud.name], check=False).returncode:
        raise UserError(
            "the local cloud's image cannot be made, for the reason above. If a disk "
            "is full (df -h, docker system df), free 4 GB and run the command again"
        )
    return subprocess.check_output([script, "--tag", cloud.name], text=True).strip()


def get_specs(cloud: Containers, image: str) -> dict[str, Spec]:
    """Return the containers by role: image, command, environment, volumes, and networks."""
    edge, internet, *zones = map(cloud.network, NETWORKS)
    run = {f"{cloud.name}-run": {"bind": RUN, "mode": "rw"}}
    identity = {"DEPLOYMENT": cloud.name, "CLOUD_IMAGE": image, "CLONE": str(ROOT)}
    limits = {name: os.environ[name] for name in LIMITS if os.environ.get(name)}
    specs: dict[str, Spec] = {
        "api": {
            "command": ["python3", "-m", "local.cloud.api"],
            # The API returns with what is deployed after it was killed.
            "volumes": {f"{cloud.name}-api": {"bind": STATE, "mode": "rw"}},
            "environment": {
                **PYTHON,
                "PERSIST_STATE": "1",
                "STATE_DIR": STATE,
                "S3_PERSIST": "1",
                "S3_DATA_DIR": f"{STATE}/s3",
                # IAM is enforced; the key `test` is the root of the account.
                "AUTH": "true",
                "MINISTACK_HOST": "cloud.internal",
                "MINISTACK_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
            # Lambda functions run in this container, so they reach what the Internet reaches.
            "networks": {edge: ["cloud.internal"], internet: []},
        },
        "time": {
            "command": ["/opt/local/cloud/time_server.sh"],
            # The healthcheck's function asks the first of its NTP servers by this name.
            "networks": {edge: [], internet: ["time.aws.com"], **{zone: [] for zone in zones}},
        },
        "balancer": {
            "command": ["/opt/local/cloud/balancer.sh"],
            "volumes": run,
            "ports": {"80/tcp": ("127.0.0.1", cloud.port)},
            # The S3 endpoint is here, by the name that hosts have for the API.
            "networks": {edge: ["balancer"], **{zone: ["cloud.internal"] for zone in zones}},
        },
        "controller": {
            # A report of an earlier controller is out of date.
            "command": ["bash", "-c", f"rm -f {REPORT}; exec python3 -m local.cloud.controller"],
            "volumes": {**run, ENGINE_SOCKET: {"bind": SOCKET, "mode": "rw"}},
            "environment": {**PYTHON, **identity, **limits},
            "networks": {edge: []},
        },
    }
    common = {"image": image, "restart_policy": {"Name": "unless-stopped"}}
    return {role: {**common, **spec} for role, spec in specs.items()}


def start(cloud: Containers, image: str) -> bool:
    """Start what does not run yet; return whether anything had to be started."""
    specs = get_specs(cloud, image)
    outdated = [role for role, spec in specs.items() if not _runs(cloud, role, spec)]
    if not outdated:
        return False
    _check_powers(cloud, image)
    parts = [part for role in specs if (part := cloud.get(role))]
    if any(part.attrs["Config"]["Image"] != image for part in parts):
        # Its API may not understand what the API of another version has saved.
        print("  the local cloud itself has changed: all of it is made again, in a minute")
        cloud.remove()
        outdated = list(specs)
    elif "balancer" in outdated and "controller" not in outdated:
        # Until its next round, the controller would report hosts as healthy that have no server.
        outdated.append("controller")
    try:
        _start_parts(cloud, {role: specs[role] for role in outdated})
    except APIError as error:
        if error.status_code == HTTPStatus.CONFLICT:
            detail = str(error.explanation).rstrip(".")
            raise UserError(
                f"something else has a name of this deployment ({detail}); {ANOTHER_NAME}"
            ) from error
        raise
    return True


def _start_parts(cloud: Containers, specs: dict[str, Spec]) -> None:
    present = {network.name for network in cloud.engine.networks.list(filters=cloud.filters)}
    for name in NETWORKS:
        if cloud.network(name) not in present:
            create_network(cloud, name)
    for name in VOLUMES:
        create_volume(cloud, name)
    for role, spec in specs.items():
        _start(cloud, role, spec)


def _check_powers(cloud: Containers, image: str) -> None:
    """Raise UserError if the engine refuses what hosts need, with which none would start."""
    command = ["--rm", "--entrypoint=true", "--network=none", image]
    result = run_privileged(f"{cloud.name}-powers", *command)
    if result.returncode:
        raise UserError(
            "this Docker engine refuses privileged containers, and each host is one: "
            f"{result.stderr.strip()}. Use an engine that allows them"
        )


def _runs(cloud: Containers, role: str, spec: Spec) -> bool:
    container = cloud.get(role)
    if role == "controller" and cloud.is_controller_late():
        return False
    return (
        container is not None
        and container.status == "running"
        and container.labels.get("timeservice.spec") == json.dumps(spec)
    )


def create_network(cloud: Containers, name: str) -> None:
    """Create the network "edge", or a network that has no way out, as the hosts' subnets.

    This machine has no address in the latter, so hosts do not reach what listens here.
    """
    options: Spec = {}
    if name != "edge":
        without_address = {"com.docker.network.bridge.inhibit_ipv4": "true"}
        options = {"internal": True, "options": without_address}
    labels = {LABEL: cloud.name}
    try:
        cloud.engine.networks.create(
            cloud.network(name), driver="bridge", labels=labels, check_duplicate=True, **options
        )
    except APIError as error:
        # An engine has addresses for about 30 networks, and a deployment has four.
        if "address pool" not in str(error.explanation):
            raise
        raise UserError(
            "the Docker engine has no addresses for another network: remove networks that nothing "
            "uses (docker network prune), or other deployments (make down), and run the "
            "command again"
        ) from error


def create_volume(cloud: Containers, name: str) -> None:
    """Create a volume if it is missing. Raises UserError if another's has its name."""
    labels = {LABEL: cloud.name}
    volume = cloud.engine.volumes.create(f"{cloud.name}-{name}", labels=labels)
    if volume.attrs["Labels"] != labels:
        raise UserError(f"the volume {volume.name} belongs to something else; {ANOTHER_NAME}")


def _start(cloud: Containers, role: str, spec: Spec) -> None:
    old = cloud.get(role)
    if old is not None:
        old.remove(force=True, v=True)
    (network, aliases), *others = spec["networks"].items()
    endpoint = cloud.engine.api.create_endpoint_config(aliases=aliases)
    container = cloud.engine.containers.create(
        **{key: value for key, value in spec.items() if key != "networks"},
        name=f"{cloud.name}-{role}",
        hostname=role,
        network=network,
        networking_config={network: endpoint},
        labels={
            LABEL: cloud.name,
            "timeservice.role": role,
            "timeservice.spec": json.dumps(spec),
            "timeservice.clone": str(ROOT),
        },
        log_config=LOG,
        # Docker would give the proxies of the user's configuration to the container.
        use_config_proxy=False,
    )
    for network, aliases in others:
        cloud.engine.networks.get(network).connect(container, aliases=aliases)
    # It starts only now, so that it has all of its networks from the start.
    container.start()
