"""What stands in a deployment's subnets: whatever has an address there."""

from __future__ import annotations

from typing import Any, NamedTuple

from ops.reach.ports import FAMILIES, NONE, UNIVERSE, Ports
from ops.reach.state import Items, State

EVERYTHING = {
    "IpProtocol": "-1",
    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
}


class Node(NamedTuple):
    """What stands in a subnet: a load balancer, a group's hosts (those to come as well), or another interface."""

    name: str
    subnet: str
    groups: list[str] | None  # ids of its security groups; None: no group filters it
    addresses: dict[str, str]  # family -> why it has a public address
    listeners: dict[str, Ports] | None = None  # protocol -> ports; None: it may listen anywhere
    host: bool = False

    def rules(self, state: State, key: str = "IpPermissions") -> Items:
        """Those of its security groups; one that allows everything if there is none to filter."""
        return [EVERYTHING] if self.groups is None else rules(state, self.groups, key)


def rules(state: State, groups: list[str], key: str = "IpPermissions") -> Items:
    """Those of the security groups with these ids."""
    return [rule for one in state.groups if one["GroupId"] in groups for rule in one[key]]


def nodes(state: State) -> list[Node]:
    return [*_balancers(state), *_hosts(state), *_interfaces(state)]


def _balancers(state: State) -> list[Node]:
    families = {"dualstack": FAMILIES, "dualstack-without-public-ipv4": ("IPv6",)}
    found = []
    for one in state.balancers:
        public = families.get(one["IpAddressType"], ("IPv4",))
        # An internal one's addresses are private, and its IPv6 ones are denied to internet gateways.
        public = () if one["Scheme"] == "internal" else public
        addresses = dict.fromkeys(public, str(one["Scheme"]))
        # A network load balancer may be without any group.
        groups = one.get("SecurityGroups") or None
        name, listeners = f"load balancer {one['LoadBalancerName']}", _listeners(one)
        for zone in one["AvailabilityZones"]:
            found.append(Node(name, zone["SubnetId"], groups, addresses, listeners))
    return found


def _listeners(balancer: dict[str, Any]) -> dict[str, Ports]:
    found = dict.fromkeys(UNIVERSE, NONE)
    for listener in balancer["Listeners"]:
        words = listener["Protocol"].split("_")  # HTTP, TLS, UDP, TCP_UDP, QUIC ...
        for protocol in {"udp" if word in ("UDP", "QUIC", "GENEVE") else "tcp" for word in words}:
            found[protocol] |= {listener["Port"]}
    return found


def _hosts(state: State) -> list[Node]:
    """What the launch template says counts, not what runs: the next host is made by it."""
    found = []
    for group in state.host_groups:
        data = group["LaunchTemplateData"]
        interfaces = data.get("NetworkInterfaces", [])
        groups = [one for interface in interfaces for one in interface.get("Groups", [])]
        groups = groups or data.get("SecurityGroupIds", []) or [_default_group(state)]
        asked = [one.get("AssociatePublicIpAddress") for one in interfaces]
        for subnet in sorted(group["Subnets"]):
            gives = _gives(state, subnet)
            addresses = dict(gives)
            if True in asked:
                addresses["IPv4"] = "the launch template asks for a public address"
            elif False in asked:
                addresses.pop("IPv4", None)
            if any(one.get("Ipv6AddressCount") or one.get("Ipv6Addresses") for one in interfaces):
                addresses["IPv6"] = "the launch template asks for an IPv6 address"
            name = f"hosts of {group['AutoScalingGroupName']}"
            found.append(Node(name, subnet, groups, addresses, host=True))
    return found


def _gives(state: State, subnet: str) -> dict[str, str]:
    """The families of which the subnet gives public addresses to what is launched in it."""
    found = {}
    for one in state.subnets:
        if one["SubnetId"] == subnet:
            if one["MapPublicIpOnLaunch"]:
                found["IPv4"] = "MapPublicIpOnLaunch"
            if one.get("AssignIpv6AddressOnCreation"):
                found["IPv6"] = "AssignIpv6AddressOnCreation"
    return found


def _default_group(state: State) -> str:
    return next(str(one["GroupId"]) for one in state.groups if one["GroupName"] == "default")


def _interfaces(state: State) -> list[Node]:
    """Interfaces of load balancers are left out: the balancer's listeners say what they take."""
    elastic = {one.get("NetworkInterfaceId"): one["PublicIp"] for one in state.addresses}
    instances = {
        one["InstanceId"] for group in state.host_groups for one in group.get("Instances", [])
    }
    found = []
    for one in state.interfaces:
        if any(of["LoadBalancerName"] in one.get("Description", "") for of in state.balancers):
            continue
        identity = one.get("NetworkInterfaceId") or one["InstanceId"]
        ipv4 = one.get("Association", {}).get("PublicIp") or elastic.get(identity)
        ipv6 = one.get("Ipv6Addresses")
        addresses = {"IPv4": f"public address {ipv4}"} if ipv4 else {}
        if ipv6:
            addresses["IPv6"] = f"address {ipv6[0]['Ipv6Address']}"
        groups = [group["GroupId"] for group in one["Groups"]]
        host = one.get("Attachment", {}).get("InstanceId") in instances
        found.append(Node(f"interface {identity}", one["SubnetId"], groups, addresses, host=host))
    return found
