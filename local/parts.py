"""What the local cloud's containers are: commands, environments, networks."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from local.containers import ZONES, Containers

RUN = "/run/balancer"  # where the controller writes what HAProxy reads
SOCKET = "/var/run/docker.sock"
PYTHON = {"PYTHONPATH": "/opt:/opt/site-packages"}
Spec = dict[str, Any]


def parts(cloud: Containers, image: str) -> dict[str, Spec]:
    """The containers by role; the API first, as its address is fixed and another could take it."""
    made = {
        "api": _api(cloud),
        "time": _time(cloud),
        "balancer": _balancer(cloud),
        "controller": _controller(cloud, image),
    }
    started = {"image": image, "restart_policy": {"Name": "unless-stopped"}}
    return {role: started | spec for role, spec in made.items()}


def digest(spec: Spec) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]


def _api(cloud: Containers) -> Spec:
    return {
        "command": ["python3", "-m", "local.cloud.api"],
        # It holds everything in memory: started again by itself, it would know of nothing that runs.
        "restart_policy": {"Name": "no"},
        "environment": PYTHON
        | {
            "AUTH": "true",  # IAM is enforced; the key `test` is the account's root
            "MINISTACK_HOST": "cloud.internal",
            "MINISTACK_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        # Lambda functions run in here, outside of the VPC: they see what the Internet sees.
        "networks": {cloud.network("edge"): ["cloud.internal"], cloud.network("internet"): []},
    }


def _time(cloud: Containers) -> Spec:
    # For the healthcheck's function, it is the first of those whom that asks.
    internet = {cloud.network("internet"): ["time.aws.com"]}
    zones: dict[str, list[str]] = {cloud.network(zone): [] for zone in ZONES}
    return {
        "command": ["/opt/local/cloud/time_server.sh"],
        "networks": {cloud.network("edge"): []} | internet | zones,
    }


def _balancer(cloud: Containers) -> Spec:
    zones = {cloud.network(zone): ["cloud.internal"] for zone in ZONES}
    return {
        "command": ["/opt/local/cloud/balancer.sh"],
        "volumes": {f"{cloud.name}-run": {"bind": RUN, "mode": "rw"}},
        "ports": {"80/tcp": ("127.0.0.1", cloud.port)},
        "networks": {cloud.network("edge"): ["balancer"]} | zones,
    }


def _controller(cloud: Containers, image: str) -> Spec:
    told = {"DEPLOYMENT": cloud.name, "CLOUD_IMAGE": image, "AWS_REGION": "us-east-1"}
    return {
        "command": ["python3", "-m", "local.cloud.controller"],
        "volumes": {
            f"{cloud.name}-run": {"bind": RUN, "mode": "rw"},
            SOCKET: {"bind": SOCKET, "mode": "rw"},
        },
        "environment": PYTHON | told | cloud.limits,
        "networks": {cloud.network("edge"): []},
    }
