"""Where the balancer's container is found: by the load balancer's public name, and by hosts that want S3."""

from __future__ import annotations

import os

from local.cloud.engine import engine

DEPLOYMENT = os.environ["DEPLOYMENT"]


def publish(name: str) -> None:
    """Let `name` resolve to the balancer, for whoever is on the deployment's Internet, and no earlier one."""
    network = engine().networks.get(f"{DEPLOYMENT}-internet")
    balancer = engine().containers.get(f"{DEPLOYMENT}-balancer")
    endpoint = balancer.attrs["NetworkSettings"]["Networks"].get(network.name)
    if endpoint is not None:
        if name in (endpoint["Aliases"] or []):
            return
        network.disconnect(balancer)
    network.connect(balancer, aliases=[name])


def in_zones() -> list[str]:
    """The balancer's addresses in the hosts' zones, where the S3 endpoint is; of a zone that is gone there is none."""
    balancer = engine().containers.get(f"{DEPLOYMENT}-balancer")
    networks = balancer.attrs["NetworkSettings"]["Networks"]
    outside = (f"{DEPLOYMENT}-edge", f"{DEPLOYMENT}-internet")
    return [
        str(one["IPAddress"])
        for name, one in networks.items()
        if name not in outside and one["IPAddress"]
    ]
