"""Find what the Internet does not reach only because one of several controls is still in place.

A port is closed by its route, its network ACL, its security group, its address and its listener.
Each of them alone may be opened unnoticed.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ops.reach.ingress import Ingress, Node, as_list, list_nodes, list_routes
from ops.reach.ports import (
    FAMILIES,
    NONE,
    Ports,
    format_ports,
    get_group_ports,
    get_peers,
    get_ports,
)
from ops.reach.state import State

# Services whose resources are checked here, or cannot be public.
KNOWN = {
    *("EC2", "ElasticLoadBalancingV2", "AutoScaling", "Lambda", "S3", "SNS"),
    *("Budgets", "CloudFormation", "CloudWatch", "Events", "IAM", "Logs"),
}
BLOCK_FLAGS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


class Egress(NamedTuple):
    """What hosts may send to."""

    name: str
    port: str
    to: str


def find_egress(state: State, node: Node) -> list[Egress]:
    """Return what a host's security groups let out; the time and metadata services pass them."""
    table = state.get_route_table(node.subnet).get("RouteTableId")
    services = {
        endpoint["PrefixListId"]: endpoint["ServiceName"]
        for endpoint in state.endpoints
        if table in endpoint.get("RouteTableIds", [])
    }
    egress = []
    for rule in node.get_rules(state, "IpPermissionsEgress"):
        peers = [pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])]
        peers += [peer for family in FAMILIES for peer in get_peers(rule, family)]
        port = format_ports(get_ports(rule))
        egress += [Egress(node.name, port, services.get(peer, peer)) for peer in peers]
    if state.resolver:  # no security group filters it
        egress.append(Egress(node.name, "dns", "Amazon's resolver"))
    return egress


def find_weaknesses(state: State, ingress: list[Ingress]) -> list[str]:
    """Return sentences, or [] if all controls are in place."""
    found = [
        *_check_groups(state, ingress),
        *_check_nodes(state, ingress),
        *_check_routes(state),
        *_check_subnets(state),
        *_check_resources(state),
    ]
    return list(dict.fromkeys(found))  # a sentence may hold for several subnets


def _get_reached_ports(ingress: list[Ingress], family: str) -> Ports:
    return NONE.union(*(item.ports for item in ingress if item.over == family))


def _check_groups(state: State, ingress: list[Ingress]) -> Iterator[str]:
    for group in state.groups:
        identity = group["GroupId"]
        own = [item for item in ingress if identity in item.groups]
        for family in FAMILIES:
            idle = get_group_ports(state.get_rules([identity]), family)
            idle -= _get_reached_ports(own, family)
            if idle:
                name, port = group["GroupName"], f"{format_ports(idle)} over {family}"
                yield f"security group {identity} ({name}) lets in {port}, which nothing needs"


def _check_nodes(state: State, ingress: list[Ingress]) -> Iterator[str]:
    known = {subnet["SubnetId"] for subnet in state.subnets}
    for node in list_nodes(state):
        own = [item for item in ingress if item.name == node.name]
        for family, reason in node.addresses.items():
            reached = _get_reached_ports(own, family)
            if not reached:
                yield f"{node.name} has a public address ({family}: {reason}) that nothing needs"
            idle = node.listeners - reached
            if idle and node.name.startswith("load balancer"):
                port = f"{format_ports(idle)} over {family}"
                yield f"{node.name} listens on {port}, which the Internet does not reach"
        if node.subnet not in known:
            yield f"{node.name} is in {node.subnet}, outside the VPC, where nothing is checked"
        if node.is_host:
            yield from _check_egress(state, node)
        elif node.name.startswith("interface"):
            yield f"{node.name} in {node.subnet} is neither the balancer's nor a host's"


def _check_egress(state: State, node: Node) -> Iterator[str]:
    """Hosts reach S3 over its gateway endpoint, and Amazon's resolver to find its addresses."""
    egress = [item for item in find_egress(state, node) if item.port != "dns"]
    s3 = [item for item in egress if item.port == "tcp 443" and item.to.endswith(".s3")]
    if not s3:
        yield f"{node.name} in {node.subnet} do not reach S3"
    for item in egress:
        if item not in s3:
            yield f"{item.name} may send {item.port} to {item.to}"


def _check_routes(state: State) -> Iterator[str]:
    """The only route is that of the load balancer's subnets to the internet gateway, for IPv4."""
    hosts = [node for node in list_nodes(state) if node.is_host]
    private = {state.get_route_table(node.subnet).get("RouteTableId") for node in hosts}
    for table in state.route_tables:
        role = ""
        if any(association.get("Main") for association in table["Associations"]):
            role = ", the main one,"
        if table["RouteTableId"] in private:
            role = ", that of hosts,"
        for destination, target in list_routes(table):
            if role or destination != "0.0.0.0/0" or target not in state.internet_gateways:
                yield f"route table {table['RouteTableId']}{role} leads {destination} to {target}"


def _check_subnets(state: State) -> Iterator[str]:
    for subnet in state.subnets:
        for flag in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"):
            if subnet.get(flag):
                name = subnet["SubnetId"]
                yield f"subnet {name} gives public addresses to new interfaces ({flag})"


def _check_resources(state: State) -> Iterator[str]:
    for address in state.addresses:
        if not address.get("NetworkInterfaceId") and not address.get("InstanceId"):
            yield f"address {address['PublicIp']} belongs to something that the API does not name"
    for endpoint in state.endpoints:
        # The local cloud returns no policies.
        policy = endpoint.get("PolicyDocument") or {}
        for statement in as_list(policy.get("Statement", [])):
            if _allows_any_bucket(statement):
                yield f"endpoint {endpoint['VpcEndpointId']} carries to any bucket: {statement}"
    for bucket in state.buckets:
        off = [flag for flag in BLOCK_FLAGS if not bucket["Block"].get(flag)]
        if off:
            yield f"bucket {bucket['Name']} may be made public: {', '.join(off)} is off"
    for type in sorted(state.types):
        if type.split("::")[1] not in KNOWN:
            yield f"there are resources of type {type}, which are not checked here"


def _allows_any_bucket(statement: dict[str, Any]) -> bool:
    resources = as_list(statement.get("Resource", "*"))
    names = [resource.split(":")[-1].split("/")[0] for resource in resources]
    return statement["Effect"] == "Allow" and any(name in ("*", "") for name in names)
