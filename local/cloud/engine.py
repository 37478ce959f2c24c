"""The Docker engine that the hosts run on, and the addresses and names of the balancer in it."""

import os
from functools import cache

import docker


@cache
def engine() -> docker.DockerClient:
    """Return a client of the engine. It is made at first use, because that asks the engine."""
    return docker.from_env()


def deployment() -> str:
    """Return the name of the deployment that this container belongs to."""
    return os.environ["DEPLOYMENT"]


def publish_name(name: str) -> None:
    """Let the load balancer's name, and no earlier one, resolve on the deployment's Internet."""
    network = engine().networks.get(f"{deployment()}-internet")
    balancer = engine().containers.get(f"{deployment()}-balancer")
    endpoint = balancer.attrs["NetworkSettings"]["Networks"].get(network.name)
    if endpoint is not None:
        if name in (endpoint["Aliases"] or []):
            return
        network.disconnect(balancer)
    network.connect(balancer, aliases=[name])


def list_zone_addresses() -> list[str]:
    """Return the balancer's address in each zone that exists. Hosts find the S3 endpoint there."""
    balancer = engine().containers.get(f"{deployment()}-balancer")
    networks = balancer.attrs["NetworkSettings"]["Networks"]
    outside = (f"{deployment()}-edge", f"{deployment()}-internet")
    return [
        str(network["IPAddress"])
        for name, network in networks.items()
        if name not in outside and network["IPAddress"]
    ]
