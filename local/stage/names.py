"""The public DNS: the load balancer's name leads to the balancer, for whoever is on the deployment's Internet."""

from __future__ import annotations

import os

from local.stage.engine import engine

DEPLOYMENT = os.environ["DEPLOYMENT"]


def publish(name: str) -> None:
    """Let `name` resolve to the balancer; an earlier name of it no longer does."""
    network = engine().networks.get(f"{DEPLOYMENT}-internet")
    balancer = engine().containers.get(f"{DEPLOYMENT}-balancer")
    endpoint = balancer.attrs["NetworkSettings"]["Networks"].get(network.name)
    if endpoint is not None:
        if name in (endpoint["Aliases"] or []):
            return
        network.disconnect(balancer)
    network.connect(balancer, aliases=[name])
