"""What only one of several walls keeps closed. A door is closed by more than one: any of them may be lost unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from ops.reach.egress import egress_of
from ops.reach.ingress import Ingress
from ops.reach.nodes import nodes, rules
from ops.reach.policies import listed
from ops.reach.ports import FAMILIES, NONE, UNIVERSE, Ports, let_in, told
from ops.reach.routing import routes, table
from ops.reach.state import State

# Services whose resources are looked at here, or cannot have a door.
KNOWN = {
    *("EC2", "ElasticLoadBalancingV2", "AutoScaling", "Lambda", "S3", "SNS"),
    *("Budgets", "CloudFormation", "CloudWatch", "Events", "IAM", "Logs"),
}


def weaknesses(state: State, ingress: list[Ingress]) -> list[str]:
    """Sentences; [] if all walls stand."""
    found = [
        *_rules(state, ingress),
        *_nodes(state, ingress),
        *_routes(state),
        *_subnets(state),
        *_addresses(state),
        *_egress(state),
        *_endpoints(state),
        *_resources(state),
    ]
    return list(dict.fromkeys(found))  # what holds for several subnets is told once


def _rules(state: State, ingress: list[Ingress]) -> Iterator[str]:
    for group in state.groups:
        identity = group["GroupId"]
        own = [door for door in ingress if identity in (door.groups or [])]
        for family, protocol in product(FAMILIES, UNIVERSE):
            idle = let_in(rules(state, [identity]), family, protocol)
            if idle := idle - _ports(own, family, protocol):
                yield (
                    f"security group {identity} ({group['GroupName']}) lets in {told(protocol, idle)} "
                    f"over {family}, where the Internet reaches nobody"
                )


def _ports(ingress: list[Ingress], family: str, protocol: str) -> Ports:
    own = (one.ports for one in ingress if (one.over, one.protocol) == (family, protocol))
    return NONE.union(*own)


def _nodes(state: State, ingress: list[Ingress]) -> Iterator[str]:
    """Public addresses and listeners that the Internet does not reach, and interfaces of nobody."""
    for node in nodes(state):
        own = [door for door in ingress if door.name == node.name]
        for family, why in node.addresses.items():
            if not any(door.over == family for door in own):
                yield f"{node.name} has a public address ({family}: {why}), though nothing reaches it"
            for protocol, listened in (node.listeners or {}).items():
                if behind := listened - _ports(own, family, protocol):
                    yield f"{node.name} listens on {told(protocol, behind)} ({family}) behind closed doors"
        if node.name.startswith("interface") and not node.host:
            yield f"{node.name} in {node.subnet} is neither the balancer's nor a host's"


def _routes(state: State) -> Iterator[str]:
    """The only route that there shall be: from the load balancer's subnets to the internet gateway, for IPv4."""
    private = {
        held["RouteTableId"]
        for one in nodes(state)
        if one.host and (held := table(state, one.subnet))
    }
    for held in state.route_tables:
        identity = held["RouteTableId"]
        main = any(one.get("Main") for one in held["Associations"])
        of = ", that of hosts," if identity in private else ", the main one," if main else ""
        for destination, target in routes(held):
            if of or destination != "0.0.0.0/0" or target not in state.internet_gateways:
                yield f"route table {identity}{of} leads {destination} to {target}"


def _subnets(state: State) -> Iterator[str]:
    known = {one["SubnetId"] for one in state.subnets}
    for one in state.subnets:
        for flag in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"):
            if one.get(flag):
                yield f"subnet {one['SubnetId']} gives public addresses to what is launched in it ({flag})"
    for node in nodes(state):
        if node.subnet not in known:
            yield f"{node.name} stand in {node.subnet}, outside of the VPC, where nothing is known"


def _addresses(state: State) -> Iterator[str]:
    for one in state.addresses:
        if not one.get("NetworkInterfaceId") and not one.get("InstanceId"):
            yield f"address {one['PublicIp']} belongs to something that the API does not name"


def _egress(state: State) -> Iterator[str]:
    """Hosts reach S3 over its gateway endpoint, and Amazon's resolver, without which they would not find it."""
    for node in nodes(state):
        out = [one for one in egress_of(state, node) if one.port != "dns"]
        s3 = [one for one in out if one.port == "tcp 443" and one.to.endswith(".s3")]
        if node.host and not s3:
            yield f"{node.name} in {node.subnet} do not reach S3"
        for one in out:
            if one not in s3:
                yield f"{one.name} may send {one.port} to {one.to} ({one.because})"


def _endpoints(state: State) -> Iterator[str]:
    for one in state.endpoints:
        # The local cloud does not tell policies.
        for statement in listed((one.get("PolicyDocument") or {}).get("Statement", [])):
            if _any_bucket(statement):
                yield f"endpoint {one['VpcEndpointId']} carries to any bucket: {statement}"


def _any_bucket(statement: dict[str, Any]) -> bool:
    resources = listed(statement.get("Resource", "*"))
    return statement["Effect"] == "Allow" and any(
        one.split(":")[-1].split("/")[0] in ("*", "") for one in resources
    )


def _resources(state: State) -> Iterator[str]:
    for bucket in state.buckets:
        flags = (
            *("BlockPublicAcls", "BlockPublicPolicy"),
            *("IgnorePublicAcls", "RestrictPublicBuckets"),
        )
        if off := [flag for flag in flags if not bucket["Block"].get(flag)]:
            yield f"bucket {bucket['Name']} may be made public: {', '.join(off)} is off"
    for kind in sorted(state.types):
        if kind.split("::")[1] not in KNOWN:
            yield f"there are resources of type {kind}, of whose doors nothing is known here"
