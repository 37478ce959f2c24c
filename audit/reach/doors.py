"""What is reachable from the Internet, and what hosts can reach, computed from a deployment's state.

Something is reachable when all of this holds: it has a public address; the route table of its subnet (the VPC's main
one, if it has none of its own) sends that family to an internet gateway that is attached; the subnet's network ACL and
the security groups let a source on the Internet in; and, for a load balancer, a listener is there.
https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from audit.reach.ports import (
    FAMILIES,
    NONE,
    UNIVERSE,
    Ports,
    admitted,
    let_in,
    overlap,
    peers,
    ports,
    told,
)
from audit.reach.state import State
from audit.reach.things import Thing, routes, table, things


class Door(NamedTuple):
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


class Exit(NamedTuple):
    """What a host reaches."""

    name: str
    port: str
    to: str
    because: str


def doors(state: State) -> list[Door]:
    found: dict[tuple[str, str, str], Door] = {}
    for thing in things(state):
        for family, address in thing.addresses.items():
            way = _gateway(state, thing.subnet, family)
            for protocol in UNIVERSE if way else ():
                opened = _opened(state, thing, family, protocol)
                if opened:
                    walls = " ".join(thing.groups or ["no security group"])
                    because = f"{way}; {address}; {walls}; {_heard(thing)}"
                    door = Door(thing.name, family, protocol, because, opened, thing.groups)
                    # A balancer has a foot in each of its subnets.
                    found.setdefault((thing.name, family, door.port), door)
    return list(found.values())


def _gateway(state: State, subnet: str, family: str) -> str:
    """The route from the Internet to the subnet, in words; "" if there is none."""
    found = table(state, subnet)
    for destination, target in routes(found):
        here = destination.startswith("pl-") or (":" in destination) == (family == "IPv6")
        if here and target in state.internet_gateways and found:
            return f"{target}, {destination} in {found['RouteTableId']} of {subnet}"
    return ""


def _admitted(state: State, subnet: str, family: str, protocol: str) -> Ports:
    acls = [
        acl
        for acl in state.acls
        if acl["IsDefault"] or any(one.get("SubnetId") == subnet for one in acl["Associations"])
    ]
    own = sorted(acls, key=lambda acl: bool(acl["IsDefault"]))[:1]
    return admitted(own[0]["Entries"], family, protocol) if own else UNIVERSE[protocol]


def _heard(thing: Thing) -> str:
    return "a listener" if thing.listeners else "whatever listens there"


def _opened(state: State, thing: Thing, family: str, protocol: str) -> Ports:
    listened = thing.listeners[protocol] if thing.listeners else UNIVERSE[protocol]
    return (
        listened
        & _admitted(state, thing.subnet, family, protocol)
        & let_in(rules(state, thing.groups), family, protocol)
    )


def rules(
    state: State, groups: list[str] | None, key: str = "IpPermissions"
) -> list[dict[str, Any]]:
    """The rules of these security groups; one that allows everything if there is none to filter."""
    if groups is None:
        everyone: dict[str, Any] = {
            "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
        }
        return [{"IpProtocol": "-1", **everyone}]
    return [rule for one in state.groups if one["GroupId"] in groups for rule in one[key]]


def exits(state: State) -> list[Exit]:
    """What hosts may reach, whoever answers there."""
    return sorted({one for thing in things(state) for one in exits_of(state, thing)})


def exits_of(state: State, thing: Thing) -> list[Exit]:
    """[] if it is no host. Time and instance metadata are link-local: not on the way out."""
    found = []
    for rule in rules(state, thing.groups, "IpPermissionsEgress") if thing.host else ():
        port = ", ".join(told(one, ports(rule, one)) for one in UNIVERSE if ports(rule, one))
        found += [Exit(thing.name, port, *way) for way in _ways(state, thing.subnet, rule)]
    if thing.host and state.resolver:
        why = "enableDnsSupport; no security group filters it, and it asks the Internet"
        found.append(Exit(thing.name, "dns", "Amazon's resolver", why))
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
