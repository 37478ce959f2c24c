"""Compute from a deployment's state what the Internet reaches, by AWS's rules.

Packets reach a node if all of this holds: it has a public address; the route table of its subnet
leads to an attached internet gateway; its security groups let a source on the Internet in; a load
balancer has a listener on the port. Network ACLs are not read, because they only close.

https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html

This is computed for IPv4. If the VPC has IPv6 addresses, weaknesses.py reports that. Apart from the
network, AWS's own API reaches what a resource policy opens to everyone.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Any, NamedTuple

from ops.reach.state import State

Rule = dict[str, Any]  # as describe_security_groups returns it
EVERYTHING: Rule = {"IpProtocol": "-1"}
NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmp", "icmpv6": "icmp", "-1": "all"}
RANGES = {"IPv4": ("IpRanges", "CidrIp"), "IPv6": ("Ipv6Ranges", "CidrIpv6")}
# No packet from the Internet has a source in these: RFC 1918, 6598, 3927, 4193 and 4291.
PRIVATE = [
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10"),
]


class Ingress(NamedTuple):
    """What the Internet reaches. over: IPv4 or API. port: of the API, the action."""

    name: str
    over: str
    port: str
    reason: str


class Node(NamedTuple):
    """What has addresses in a subnet: a load balancer, a group's hosts, or another interface."""

    name: str
    subnet: str
    groups: list[str]  # ids of its security groups; without any, nothing filters it
    is_public: bool  # whether it has a public address
    is_host: bool = False
    # A load balancer's, each with protocol and port. Another node may listen on any port.
    listeners: list[tuple[str, int]] | None = None


def find_ingress(state: State) -> list[Ingress]:
    """Return an item for each port of each node that the Internet reaches, and for the API."""
    found = []
    for node in list_nodes(state):
        for port in list_reached_ports(state, node):
            table = state.get_route_table(node.subnet)["RouteTableId"]
            reason = f"routed by {table}; let in by {' '.join(node.groups) or 'no group'}"
            found.append(Ingress(node.name, "IPv4", port, reason))
    # A balancer has a node in each of its subnets.
    return [*dict.fromkeys(found), *_find_api_ingress(state)]


def list_reached_ports(state: State, node: Node) -> list[str]:
    """Return the ports that the Internet reaches at the node's public address."""
    routes = list_routes(state.get_route_table(node.subnet))
    is_routed = any(target in state.internet_gateways for _, target in routes)
    if not is_routed or not node.is_public:
        return []
    rules = [EVERYTHING]
    if node.groups:
        rules = list_public_rules(state.get_rules(node.groups), "IPv4")
    if node.listeners is None:
        return [format_ports(rule) for rule in rules]
    return [
        f"{protocol} {port}"
        for protocol, port in node.listeners
        if any(has_port(rule, protocol, port) for rule in rules)
    ]


def list_routes(table: dict[str, Any]) -> list[tuple[str, str]]:
    """Return destination and target of each route except the VPC's own and gateway endpoints'."""
    routes = []
    for route in table.get("Routes", []):
        destination, target = "?", "nowhere"
        for key, value in route.items():
            if key.startswith("Destination"):
                destination = value or destination
            elif key.endswith(("Id", "Arn")) and key != "InstanceOwnerId":
                target = value or target
        if target != "local" and not target.startswith("vpce-"):
            routes.append((destination, target))
    return routes


def list_nodes(state: State) -> list[Node]:
    return [*_list_balancers(state), *_list_hosts(state), *_list_interfaces(state)]


def _list_balancers(state: State) -> Iterator[Node]:
    for balancer in state.balancers:
        listeners = []
        for listener in balancer["Listeners"]:
            listeners.append(("tcp", listener["Port"]))
            if listener["Protocol"] not in ("HTTP", "HTTPS"):
                listeners.append(("udp", listener["Port"]))
        for zone in balancer["AvailabilityZones"]:
            yield Node(
                f"load balancer {balancer['LoadBalancerName']}",
                zone["SubnetId"],
                balancer.get("SecurityGroups", []),
                balancer["Scheme"] != "internal",
                listeners=listeners,
            )


def _list_hosts(state: State) -> Iterator[Node]:
    """Return the hosts that the launch template makes next, not those that run."""
    default = [group["GroupId"] for group in state.groups if group["GroupName"] == "default"]
    for group in state.host_groups:
        data = group["LaunchTemplateData"]
        interfaces = data.get("NetworkInterfaces", [])
        groups = [item for interface in interfaces for item in interface.get("Groups", [])]
        groups = groups or data.get("SecurityGroupIds") or default
        is_public = any(interface.get("AssociatePublicIpAddress") for interface in interfaces)
        name = f"hosts of {group['AutoScalingGroupName']}"
        for subnet in state.subnets:
            identity = subnet["SubnetId"]
            if identity in group["Subnets"]:
                gives_public = is_public or subnet["MapPublicIpOnLaunch"]
                yield Node(name, identity, groups, gives_public, is_host=True)


def _list_interfaces(state: State) -> Iterator[Node]:
    """Return the other interfaces, except load balancers': their listeners are on the balancers."""
    balancers = [balancer["LoadBalancerName"] for balancer in state.balancers]
    groups_of_hosts = [group.get("Instances", []) for group in state.host_groups]
    hosts = [host["InstanceId"] for group in groups_of_hosts for host in group]
    for interface in state.interfaces:
        if any(name in interface["Description"] for name in balancers):
            continue
        yield Node(
            f"interface {interface['NetworkInterfaceId']}",
            interface["SubnetId"],
            [group["GroupId"] for group in interface["Groups"]],
            bool(interface.get("Association")),
            is_host=interface.get("Attachment", {}).get("InstanceId") in hosts,
        )


def _find_api_ingress(state: State) -> Iterator[Ingress]:
    for function, url in state.function_urls:
        action = f"URL, authorization {url['AuthType']}"
        yield Ingress(f"function {function}", "API", action, url["FunctionUrl"])
    for name, policy in state.policies.items():
        for statement in as_list(policy.get("Statement", [])):
            principal = statement.get("Principal", {})
            if isinstance(principal, dict):
                principal = principal.get("AWS", [])
            is_public = "NotPrincipal" in statement or "*" in as_list(principal)
            # Its conditions do not matter: nothing here needs such a statement.
            if statement["Effect"] == "Allow" and is_public:
                actions = " ".join(as_list(statement.get("Action", "?")))
                yield Ingress(name, "API", actions, f"policy, {statement.get('Sid', '')}")


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def has_public_address(block: str) -> bool:
    """Return whether the block, or prefix list, may contain an address on the Internet."""
    if block.startswith("pl-"):
        return True
    network: Any = ip_network(block, strict=False)
    private = [other for other in map(ip_network, PRIVATE) if other.version == network.version]
    return not any(network.subnet_of(other) for other in private)


def get_protocol(rule: Rule) -> str:
    return NAMES.get(rule["IpProtocol"], str(rule["IpProtocol"]))


def format_ports(rule: Rule) -> str:
    """Return "tcp 80", "udp 1-90" or "all"; a protocol without ports is named alone."""
    protocol = get_protocol(rule)
    if protocol not in ("tcp", "udp"):
        return protocol
    first, last = rule["FromPort"], rule["ToPort"]
    return f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}"


def has_port(rule: Rule, protocol: str, number: int) -> bool:
    if get_protocol(rule) == "all":
        return True
    return get_protocol(rule) == protocol and rule["FromPort"] <= number <= rule["ToPort"]


def get_peers(rule: Rule, family: str) -> list[str]:
    """Return the blocks of the family, and the prefix lists, in a rule."""
    ranges, key = RANGES[family]
    lists = [item["PrefixListId"] for item in rule.get("PrefixListIds", [])]
    return [item[key] for item in rule.get(ranges, [])] + lists


def list_public_rules(rules: Iterable[Rule], family: str) -> list[Rule]:
    """Return the rules with a peer on the Internet."""
    return [rule for rule in rules if any(map(has_public_address, get_peers(rule, family)))]
