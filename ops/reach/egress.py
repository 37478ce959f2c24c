"""What hosts can reach: what their security groups let out, as far as the route table of their subnet leads."""

from __future__ import annotations

from typing import Any, NamedTuple

from ops.reach.nodes import Node, nodes
from ops.reach.ports import FAMILIES, UNIVERSE, overlap, peers, ports, told
from ops.reach.routing import routes, table
from ops.reach.state import State


class Egress(NamedTuple):
    """What a host reaches."""

    name: str
    port: str
    to: str
    because: str


def egress(state: State) -> list[Egress]:
    """What hosts may reach, whoever answers there."""
    return sorted({one for node in nodes(state) for one in egress_of(state, node)})


def egress_of(state: State, node: Node) -> list[Egress]:
    """[] if it is no host. Time and instance metadata are link-local: not on the way out."""
    if not node.host:
        return []
    found = []
    for rule in node.rules(state, "IpPermissionsEgress"):
        port = ", ".join(told(one, ports(rule, one)) for one in UNIVERSE if ports(rule, one))
        found += [Egress(node.name, port, *way) for way in _ways(state, node.subnet, rule)]
    if state.resolver:
        why = "enableDnsSupport; no security group filters it, and it asks the Internet"
        found.append(Egress(node.name, "dns", "Amazon's resolver", why))
    return found


def _ways(state: State, subnet: str, rule: dict[str, Any]) -> list[tuple[str, str]]:
    """Where a rule lets packets go, and why they arrive there; `nowhere` if there is no route for them."""
    held = table(state, subnet)
    identity = held["RouteTableId"] if held else "no route table"
    ways = [
        (f"security group {one['GroupId']}", "inside the VPC")
        for one in rule.get("UserIdGroupPairs", [])
    ]
    for peer in dict.fromkeys(peer for family in FAMILIES for peer in peers(rule, family)):
        found = [
            (str(one["ServiceName"]), f"{identity} has {one['VpcEndpointId']}")
            for one in state.endpoints
            if one["PrefixListId"] == peer and identity in one.get("RouteTableIds", [])
        ]
        if not found:
            found = [(peer, f"{to} to {target} in {identity}") for to, target in routes(held)]
        if overlap(peer, state.vpc["CidrBlock"]):
            found.append((peer, "inside the VPC"))
        ways += found or [("nowhere", f"{peer} is allowed; {identity} has no route to it")]
    return ways
