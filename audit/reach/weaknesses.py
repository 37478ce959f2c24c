"""What only one of several walls keeps closed. A door is closed by more than one: any of them may be lost unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from audit.reach.doors import Door, exits_of, rules
from audit.reach.ports import FAMILIES, NONE, UNIVERSE, Ports, let_in, told
from audit.reach.public import listed
from audit.reach.state import State
from audit.reach.things import routes, table, things

# Services whose resources are looked at here, or cannot have a door.
KNOWN = {
    *("EC2", "ElasticLoadBalancingV2", "AutoScaling", "Lambda", "S3", "SNS"),
    *("Budgets", "CloudFormation", "CloudWatch", "Events", "IAM", "Logs"),
}


def weaknesses(state: State, doors: list[Door]) -> list[str]:
    """Sentences; [] if all walls stand."""
    found = [
        *_rules(state, doors),
        *_things(state, doors),
        *_routes(state),
        *_subnets(state),
        *_addresses(state),
        *_exits(state),
        *_endpoints(state),
        *_resources(state),
    ]
    return list(dict.fromkeys(found))  # what holds for several subnets is told once


def _rules(state: State, doors: list[Door]) -> Iterator[str]:
    for group in state.groups:
        identity = group["GroupId"]
        own = [door for door in doors if identity in (door.groups or [])]
        for family, protocol in product(FAMILIES, UNIVERSE):
            idle = let_in(rules(state, [identity]), family, protocol)
            if idle := idle - _ports(own, family, protocol):
                yield (
                    f"security group {identity} ({group['GroupName']}) lets in {told(protocol, idle)} "
                    f"over {family}, where the Internet reaches nobody"
                )


def _ports(doors: list[Door], family: str, protocol: str) -> Ports:
    own = (one.ports for one in doors if (one.over, one.protocol) == (family, protocol))
    return NONE.union(*own)


def _things(state: State, doors: list[Door]) -> Iterator[str]:
    """Public addresses and listeners that the Internet does not reach, and interfaces of nobody."""
    for thing in things(state):
        own = [door for door in doors if door.name == thing.name]
        for family, why in thing.addresses.items():
            if not any(door.over == family for door in own):
                yield f"{thing.name} has a public address ({family}: {why}), though nothing reaches it"
            for protocol, listened in (thing.listeners or {}).items():
                if behind := listened - _ports(own, family, protocol):
                    yield f"{thing.name} listens on {told(protocol, behind)} ({family}) behind closed doors"
        if thing.name.startswith("interface") and not thing.host:
            yield f"{thing.name} in {thing.subnet} is neither the balancer's nor a host's"


def _routes(state: State) -> Iterator[str]:
    """The only route that there shall be: from the load balancer's subnets to the internet gateway, for IPv4."""
    private = {
        held["RouteTableId"]
        for one in things(state)
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
    for thing in things(state):
        if thing.subnet not in known:
            yield f"{thing.name} stand in {thing.subnet}, outside of the VPC, where nothing is known"


def _addresses(state: State) -> Iterator[str]:
    for one in state.addresses:
        if not one.get("NetworkInterfaceId") and not one.get("InstanceId"):
            yield f"address {one['PublicIp']} belongs to something that the API does not name"


def _exits(state: State) -> Iterator[str]:
    """Hosts reach S3 over its gateway endpoint, and Amazon's resolver, without which they would not find it."""
    for thing in things(state):
        out = [one for one in exits_of(state, thing) if one.port != "dns"]
        s3 = [one for one in out if one.port == "tcp 443" and one.to.endswith(".s3")]
        if thing.host and not s3:
            yield f"{thing.name} in {thing.subnet} do not reach S3"
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
