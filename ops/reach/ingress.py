"""What is reachable from the Internet, computed from a deployment's state.

Something is reachable when all of this holds: it has a public address; the route table of its subnet (the VPC's main
one, if it has none of its own) sends that family to an internet gateway that is attached; the subnet's network ACL and
the security groups let a source on the Internet in; and, for a load balancer, a listener is there.
https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html
"""

from __future__ import annotations

from typing import NamedTuple

from ops.reach.nodes import Node, nodes
from ops.reach.ports import NONE, UNIVERSE, Ports, admitted, let_in, told
from ops.reach.routing import acl, gateway
from ops.reach.state import State


class Ingress(NamedTuple):
    """What the Internet reaches."""

    name: str
    over: str  # IPv4, IPv6, or API: that of AWS
    protocol: str  # of the API: the action
    because: str
    ports: Ports = NONE
    groups: list[str] | None = None  # the security groups that let it in

    @property
    def port(self) -> str:
        """Such as `tcp 80`."""
        return told(self.protocol, self.ports) if self.ports else self.protocol


def ingress(state: State) -> list[Ingress]:
    found: dict[tuple[str, str, str], Ingress] = {}
    for node in nodes(state):
        for family, address in node.addresses.items():
            way = gateway(state, node.subnet, family)
            for protocol in UNIVERSE if way else ():
                if opened := _opened(state, node, family, protocol):
                    walls = " ".join(node.groups or ["no security group"])
                    heard = "a listener" if node.listeners else "whatever listens there"
                    because = f"{way}; {address}; {walls}; {heard}"
                    one = Ingress(node.name, family, protocol, because, opened, node.groups)
                    # A balancer has a foot in each of its subnets.
                    found.setdefault((one.name, family, one.port), one)
    return list(found.values())


def _opened(state: State, node: Node, family: str, protocol: str) -> Ports:
    listened = node.listeners[protocol] if node.listeners else UNIVERSE[protocol]
    return (
        listened
        & admitted(acl(state, node.subnet), family, protocol)
        & let_in(node.rules(state), family, protocol)
    )
