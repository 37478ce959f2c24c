"""Compute from a deployment's state what the Internet reaches, by AWS's rules.

Packets reach a node if all of this holds: it has a public address; the route table of its subnet
leads that family to an attached internet gateway; the subnet's network ACL and the node's security
groups let a source on the Internet in; a load balancer has a listener on the port.
https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html
Without the network, AWS's own API reaches what a resource policy or an ACL opens to everyone.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ops.reach.ports import ALL, FAMILIES, NONE, Ports, format_ports, get_acl_ports, get_group_ports
from ops.reach.state import Items, State

EVERYTHING = {
    "IpProtocol": "-1",
    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
}
EVERYONE = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",  # of any AWS account
)


class Ingress(NamedTuple):
    """What the Internet reaches. over: IPv4, IPv6, or API. port: of the API, the action."""

    name: str
    over: str
    port: str
    reason: str
    ports: Ports = NONE
    groups: tuple[str, ...] = ()  # the security groups that let it in


class Node(NamedTuple):
    """What has addresses in a subnet: a load balancer, a group's hosts, or another interface."""

    name: str
    subnet: str
    groups: list[str] | None  # ids of its security groups; None if nothing filters it
    addresses: dict[str, str]  # by family, why it has a public address
    listeners: Ports = ALL
    is_host: bool = False

    def get_rules(self, state: State, key: str = "IpPermissions") -> Items:
        return [EVERYTHING] if self.groups is None else state.get_rules(self.groups, key)


def find_ingress(state: State) -> list[Ingress]:
    found: dict[tuple[str, str, str], Ingress] = {}
    for node in list_nodes(state):
        for family, address in node.addresses.items():
            route = _find_gateway_route(state, node.subnet, family)
            ports = node.listeners & get_group_ports(node.get_rules(state), family)
            ports &= get_acl_ports(state.get_acl(node.subnet), family)
            if route and ports:
                port, groups = format_ports(ports), tuple(node.groups or ())
                reason = f"{route}; {address}; {' '.join(groups) or 'no security group'}"
                ingress = Ingress(node.name, family, port, reason, ports, groups)
                # A balancer has a node in each of its subnets.
                found.setdefault((node.name, family, port), ingress)
    return [*found.values(), *_find_api_ingress(state)]


def _find_gateway_route(state: State, subnet: str, family: str) -> str:
    """Return the route between the Internet and the subnet in words, or "" if there is none."""
    table = state.get_route_table(subnet)
    for destination, target in list_routes(table):
        is_ipv6 = ":" in destination
        matches = destination.startswith("pl-") or is_ipv6 == (family == "IPv6")
        if matches and target in state.internet_gateways:
            return f"{target}, {destination} in {table['RouteTableId']} of {subnet}"
    return ""


def list_routes(table: dict[str, Any]) -> list[tuple[str, str]]:
    """Return destination and target of each route except the VPC's own and gateway endpoints'."""
    routes = []
    for route in table.get("Routes", []):
        if route.get("Origin") == "CreateRouteTable" and route.get("GatewayId") == "local":
            continue
        destination, target = "?", "nowhere"
        for key, value in route.items():
            if key.startswith("Destination"):
                destination = value or destination
            elif key.endswith(("Id", "Arn")) and key != "InstanceOwnerId":
                target = value
        if not target.startswith("vpce-"):
            routes.append((destination, target))
    return routes


def list_nodes(state: State) -> list[Node]:
    return [*_list_balancers(state), *_list_hosts(state), *_list_interfaces(state)]


def _list_balancers(state: State) -> Iterator[Node]:
    families = {"dualstack": FAMILIES, "dualstack-without-public-ipv4": ("IPv6",)}
    for balancer in state.balancers:
        public = families.get(balancer["IpAddressType"], ("IPv4",))
        if balancer["Scheme"] == "internal":
            # Its IPv4 addresses are private, and no internet gateway carries its IPv6 ones.
            public = ()
        listeners = set()
        for listener in balancer["Listeners"]:
            for word in listener["Protocol"].split("_"):  # HTTP, TLS, UDP, TCP_UDP, QUIC ...
                protocol = "udp" if word in ("UDP", "QUIC", "GENEVE") else "tcp"
                listeners.add((protocol, listener["Port"]))
        for zone in balancer["AvailabilityZones"]:
            yield Node(
                f"load balancer {balancer['LoadBalancerName']}",
                zone["SubnetId"],
                balancer.get("SecurityGroups") or None,  # a network load balancer may have none
                dict.fromkeys(public, str(balancer["Scheme"])),
                frozenset(listeners),
            )


def _list_hosts(state: State) -> Iterator[Node]:
    """Return the hosts that the launch template makes next, not those that run."""
    default = [group["GroupId"] for group in state.groups if group["GroupName"] == "default"]
    for group in state.host_groups:
        data = group["LaunchTemplateData"]
        interfaces = data.get("NetworkInterfaces", [])
        groups = [item for interface in interfaces for item in interface.get("Groups", [])]
        groups = groups or data.get("SecurityGroupIds") or default
        flags = [interface.get("AssociatePublicIpAddress") for interface in interfaces]
        ipv6 = [item.get("Ipv6AddressCount") or item.get("Ipv6Addresses") for item in interfaces]
        for subnet in sorted(group["Subnets"]):
            addresses = _get_subnet_addresses(state, subnet)
            if True in flags:
                addresses["IPv4"] = "the launch template asks for a public address"
            elif False in flags:
                addresses.pop("IPv4", None)
            if any(ipv6):
                addresses["IPv6"] = "the launch template asks for an IPv6 address"
            name = f"hosts of {group['AutoScalingGroupName']}"
            yield Node(name, subnet, groups, addresses, is_host=True)


def _get_subnet_addresses(state: State, subnet: str) -> dict[str, str]:
    """Return by family why what is launched in the subnet gets a public address."""
    addresses = {}
    for item in state.subnets:
        if item["SubnetId"] == subnet and item["MapPublicIpOnLaunch"]:
            addresses["IPv4"] = "MapPublicIpOnLaunch"
        if item["SubnetId"] == subnet and item.get("AssignIpv6AddressOnCreation"):
            addresses["IPv6"] = "AssignIpv6AddressOnCreation"
    return addresses


def _list_interfaces(state: State) -> Iterator[Node]:
    """Return the other interfaces, except load balancers': their listeners are on the balancers."""
    balancers = [balancer["LoadBalancerName"] for balancer in state.balancers]
    elastic = {item.get("NetworkInterfaceId"): item["PublicIp"] for item in state.addresses}
    groups_of_hosts = [group.get("Instances", []) for group in state.host_groups]
    hosts = [host["InstanceId"] for group in groups_of_hosts for host in group]
    for interface in state.interfaces:
        if any(name in interface.get("Description", "") for name in balancers):
            continue
        identity = interface.get("NetworkInterfaceId") or interface["InstanceId"]
        addresses = {}
        ipv4 = interface.get("Association", {}).get("PublicIp") or elastic.get(identity)
        if ipv4:
            addresses["IPv4"] = f"public address {ipv4}"
        for address in interface.get("Ipv6Addresses", []):
            addresses["IPv6"] = f"address {address['Ipv6Address']}"
        groups = [group["GroupId"] for group in interface["Groups"]]
        is_host = interface.get("Attachment", {}).get("InstanceId") in hosts
        name = f"interface {identity}"
        yield Node(name, interface["SubnetId"], groups, addresses, is_host=is_host)


def _find_api_ingress(state: State) -> Iterator[Ingress]:
    for function in state.functions:
        name = f"function {function['FunctionName']}"
        for url in function["Urls"]:
            action = f"URL, authorization {url['AuthType']}"
            yield Ingress(name, "API", action, url["FunctionUrl"])
        yield from _find_public_statements(name, function["Policy"])
    for topic in state.topics:
        yield from _find_public_statements(f"topic {topic['TopicArn']}", topic["Policy"])
    for bucket in state.buckets:
        name, block = f"bucket {bucket['Name']}", bucket["Block"]
        if not block.get("RestrictPublicBuckets"):
            yield from _find_public_statements(name, bucket["Policy"])
        for grant in bucket["Grants"]:
            group = grant["Grantee"].get("URI")
            if group in EVERYONE and not block.get("IgnorePublicAcls"):
                yield Ingress(name, "API", grant["Permission"], f"ACL: {group}")


def _find_public_statements(name: str, policy: dict[str, Any]) -> Iterator[Ingress]:
    """Return the statements for everyone, whatever their conditions: nothing here needs one."""
    for statement in as_list(policy.get("Statement", [])):
        principal = statement.get("Principal", {})
        if isinstance(principal, dict):
            principal = principal.get("AWS", [])
        is_public = "NotPrincipal" in statement or "*" in as_list(principal)
        if statement["Effect"] == "Allow" and is_public:
            actions = " ".join(as_list(statement.get("Action", "?")))
            yield Ingress(name, "API", actions, f"policy, {statement.get('Sid', '')}")


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
