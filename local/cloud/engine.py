"""The deployment in the Docker engine, and the addresses and names of its balancer there."""

import os
from functools import cache

from local.containers import Containers


@cache
def cloud() -> Containers:
    """Return the deployment that this container belongs to."""
    return Containers(os.environ["DEPLOYMENT"])


def publish_name(name: str) -> None:
    """Let the load balancer's name, and no earlier one, resolve on the deployment's Internet."""
    network = cloud().engine.networks.get(cloud().network("internet"))
    balancer = cloud().engine.containers.get(f"{cloud().name}-balancer")
    endpoint = balancer.attrs["NetworkSettings"]["Networks"].get(network.name)
    if endpoint is not None:
        if name in (endpoint["Aliases"] or []):
            return
        network.disconnect(balancer)
    network.connect(balancer, aliases=[name])


def list_zone_addresses() -> list[str]:
    """Return the balancer's address in each zone that exists. Hosts find the S3 endpoint there."""
    balancer = cloud().engine.containers.get(f"{cloud().name}-balancer")
    networks = balancer.attrs["NetworkSettings"]["Networks"]
    outside = (cloud().network("edge"), cloud().network("internet"))
    return [
        str(network["IPAddress"])
        for name, network in networks.items()
        if name not in outside and network["IPAddress"]
    ]
