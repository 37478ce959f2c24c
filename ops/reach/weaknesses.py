"""Find openings that the Internet does not reach only because another control is still in place.

A port is closed by its route, its security group, its address and its listener. Each of them alone
may be opened unnoticed.
"""

import json
from collections.abc import Iterator

from ops.reach.ingress import (
    RANGES,
    Node,
    as_list,
    format_ports,
    get_peers,
    list_nodes,
    list_public_rules,
    list_reached_ports,
    list_routes,
)
from ops.reach.state import State

# Services whose resources are checked here, or cannot be public.
KNOWN = {
    *("EC2", "ElasticLoadBalancingV2", "AutoScaling", "Lambda", "S3", "SNS"),
    *("Budgets", "CloudFormation", "CloudWatch", "Events", "IAM", "Logs"),
}
# With all of them on, S3 ignores public ACLs and refuses public policies.
BLOCK_FLAGS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def find_weaknesses(state: State) -> list[str]:
    """Return sentences, or [] if all controls are in place."""
    found = [
        *_check_groups(state),
        *_check_nodes(state),
        *_check_routes(state),
        *_check_network(state),
        *_check_resources(state),
    ]
    return list(dict.fromkeys(found))  # a sentence may hold for several subnets


def list_egress(state: State, node: Node) -> list[tuple[str, str]]:
    """Return the ports and the peers that a host's security groups let out.

    Security groups do not filter the link-local services: time, metadata and DNS.
    """
    egress = []
    for rule in state.get_rules(node.groups, "IpPermissionsEgress"):
        peers = [pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])]
        peers += [peer for family in RANGES for peer in get_peers(rule, family)]
        egress += [(format_ports(rule), state.prefix_lists.get(peer, peer)) for peer in peers]
    return list(dict.fromkeys(egress))


def _check_groups(state: State) -> Iterator[str]:
    for group in state.groups:
        identity = group["GroupId"]
        nodes = [node for node in list_nodes(state) if identity in node.groups]
        reached = [("IPv4", port) for node in nodes for port in list_reached_ports(state, node)]
        for family in RANGES:
            for port in map(format_ports, list_public_rules(group["IpPermissions"], family)):
                if (family, port) not in reached:
                    name = f"security group {identity} ({group['GroupName']})"
                    yield f"{name} lets in {port} over {family}, which nothing needs"


def _check_nodes(state: State) -> Iterator[str]:
    for node in list_nodes(state):
        reached = list_reached_ports(state, node)
        if node.is_public and not reached:
            yield f"{node.name} has a public address that nothing needs"
        for protocol, number in node.listeners or []:
            port = f"{protocol} {number}"
            if node.is_public and port not in reached:
                yield f"{node.name} listens on {port}, which the Internet does not reach"
        if node.is_host:
            for port, peer in list_egress(state, node):
                # Hosts load their image and packages from S3.
                if port != "tcp 443" or not peer.endswith(".s3"):
                    yield f"{node.name} may send {port} to {peer}"
        elif node.name.startswith("interface"):
            yield f"{node.name} in {node.subnet} is neither the balancer's nor a host's"


def _check_routes(state: State) -> Iterator[str]:
    """Find all routes except the load balancer's to the internet gateway, for IPv4."""
    hosts = [node for node in list_nodes(state) if node.is_host]
    private = [state.get_route_table(node.subnet).get("RouteTableId") for node in hosts]
    for table in state.route_tables:
        role = ""
        if any(association.get("Main") for association in table["Associations"]):
            role = ", the main one,"
        if table["RouteTableId"] in private:
            role = ", that of hosts,"
        for destination, target in list_routes(table):
            if role or destination != "0.0.0.0/0" or target not in state.internet_gateways:
                yield f"route table {table['RouteTableId']}{role} leads {destination} to {target}"


def _check_network(state: State) -> Iterator[str]:
    if state.vpc.get("Ipv6CidrBlockAssociationSet"):
        yield "the VPC has IPv6 addresses, of which nothing is computed here"
    for balancer in state.balancers:
        if balancer["IpAddressType"] != "ipv4":
            yield f"load balancer {balancer['LoadBalancerName']} has IPv6 addresses"
    for subnet in state.subnets:
        if subnet["MapPublicIpOnLaunch"]:
            yield f"subnet {subnet['SubnetId']} gives public addresses to new interfaces"
    for endpoint in state.endpoints:
        policy = json.loads(endpoint.get("PolicyDocument") or "{}")
        for statement in as_list(policy.get("Statement", [])):
            if statement["Effect"] == "Allow" and "*" in as_list(statement.get("Resource", "*")):
                yield f"endpoint {endpoint['VpcEndpointId']} carries to any bucket: {statement}"


def _check_resources(state: State) -> Iterator[str]:
    for bucket, block in state.blocks.items():
        off = [flag for flag in BLOCK_FLAGS if not block.get(flag)]
        if off:
            yield f"bucket {bucket} may be public: {', '.join(off)} is off"
    for type in sorted(state.types):
        if type.split("::")[1] not in KNOWN:
            yield f"there are resources of type {type}, which are not checked here"
