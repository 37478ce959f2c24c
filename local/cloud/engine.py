"""The deployment in the Docker engine, and the addresses and names of its balancer there."""

import os
from functools import cache

from local.containers import ZONES, Containers


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
    addresses = [networks.get(cloud().network(zone), {}).get("IPAddress") for zone in ZONES]
    return [str(address) for address in addresses if address]
