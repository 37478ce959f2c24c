"""Changes of a state for which the local cloud has no API, or which it does not keep; each returns
words as well."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from ops.reach.state import State
from tests.ops.reach.cloud import EVERYWHERE


def find_group(state: State, name: str) -> dict[str, Any]:
    return next(group for group in state.groups if group["GroupName"].endswith(name))


def give_the_vpc_ipv6(state: State) -> str:
    state.vpc["Ipv6CidrBlockAssociationSet"] = [{"Ipv6CidrBlock": "2600:1f18:1::/56"}]
    return "the VPC has IPv6 addresses"


def route_hosts_to_an_egress_only_gateway(state: State) -> str:
    for table in state.route_tables:
        route = {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"}
        table["Routes"].append({**route, "Origin": "CreateRoute"})
    return ", that of hosts, leads ::/0 to eigw-1"


def open_ports_to_a_prefix_list(state: State) -> str:
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 1,
        "ToPort": 90,
        "PrefixListIds": [{"PrefixListId": "pl-1"}],
    }
    find_group(state, "BalancerSecurityGroup")["IpPermissions"].append(rule)
    return "lets in tcp 1-90 over IPv4"


def make_the_public_table_the_main_one(state: State) -> str:
    for table in state.route_tables:
        public = any(route["DestinationCidrBlock"] == "0.0.0.0/0" for route in table["Routes"])
        table["Associations"] = [item for item in table["Associations"] if not item["Main"]]
        if public:
            table["Associations"].append({"Main": True})
    return ", the main one, leads 0.0.0.0/0"


def let_host_subnets_fall_to_a_public_main_table(state: State) -> str:
    """Subnets without a route table use the main one. With a public address and a rule, hosts are
    then reachable."""
    make_the_public_table_the_main_one(state)
    for table in state.route_tables:
        hosts = state.host_groups[0]["Subnets"]
        table["Associations"] = [
            item for item in table["Associations"] if item.get("SubnetId") not in hosts
        ]
    data = state.host_groups[0]["LaunchTemplateData"]
    data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] = True
    find_group(state, "HostSecurityGroup")["IpPermissions"][0].update(EVERYWHERE)
    return f"hosts of {state.host_groups[0]['AutoScalingGroupName']} is reachable: tcp 80 over IPv4"


def add_a_network_balancer_without_a_group(state: State) -> str:
    balancer = copy.deepcopy(state.balancers[0])
    state.balancers.append(balancer)
    balancer.update(LoadBalancerName="second", Type="network", SecurityGroups=[])
    balancer["Listeners"] = [{"Port": 53, "Protocol": "TCP_UDP"}]
    return "load balancer second is reachable: udp 53 over IPv4"


def add_an_interface(state: State) -> str:
    """A NAT gateway's, a function's, a client VPN's ..."""
    interface = {"NetworkInterfaceId": "eni-1", "Description": "Interface for NAT Gateway nat-1"}
    subnet = state.balancers[0]["AvailabilityZones"][0]["SubnetId"]
    state.interfaces.append({**interface, "SubnetId": subnet, "Groups": []})
    return f"interface eni-1 in {subnet} is neither the balancer's nor a host's"


def start_another_instance(state: State) -> str:
    add_an_interface(state)
    groups = [{"GroupId": find_group(state, "BalancerSecurityGroup")["GroupId"]}]
    address = {"Association": {"PublicIp": "198.51.100.1"}}
    state.interfaces[-1].update(Description="", Groups=groups, **address)
    return "interface eni-1 is reachable: tcp 80 over IPv4"


def associate_an_elastic_address_with_a_host(state: State) -> str:
    add_a_host_as_on_aws(state)
    state.interfaces[-1]["Association"] = {"PublicIp": "198.51.100.1"}
    return "interface eni-1 has a public address that nothing needs"


def add_a_host_as_on_aws(state: State) -> str:
    """A host as AWS describes it; returns the id of its interface."""
    state.host_groups[0]["Instances"] = [{"InstanceId": "i-1"}]
    interface = {"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceId": "i-1"}}
    interface["Description"] = ""
    groups = [{"GroupId": find_group(state, "HostSecurityGroup")["GroupId"]}]
    subnet = min(state.host_groups[0]["Subnets"])
    state.interfaces.append({**interface, "SubnetId": subnet, "Groups": groups})
    return "eni-1"


def leave_hosts_in_the_default_group(state: State) -> str:
    """Give hosts the default group, as a launch template without groups does: they may send
    anywhere."""
    state.host_groups[0]["LaunchTemplateData"]["NetworkInterfaces"] = []
    return "may send all to 0.0.0.0/0"


def let_the_endpoint_carry_to_any_bucket(state: State) -> str:
    policy = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    state.endpoints[0]["PolicyDocument"] = json.dumps({"Statement": [policy]})
    return "carries to any bucket"


def let_the_bucket_be_public_by_acl(state: State) -> str:
    (block,) = state.blocks.values()
    block["IgnorePublicAcls"] = False
    return "may be public: IgnorePublicAcls is off"


def add_a_resource_of_an_unknown_type(state: State) -> str:
    state.types.add("AWS::ApiGatewayV2::Api")
    return "resources of type AWS::ApiGatewayV2::Api"


def detach_the_gateway(state: State) -> str:
    state.internet_gateways.clear()
    return "no load balancer is reachable on port 80 alone over IPv4"


STATES: list[Callable[[State], str]] = [
    give_the_vpc_ipv6,
    route_hosts_to_an_egress_only_gateway,
    open_ports_to_a_prefix_list,
    make_the_public_table_the_main_one,
    let_host_subnets_fall_to_a_public_main_table,
    add_a_network_balancer_without_a_group,
    add_an_interface,
    start_another_instance,
    associate_an_elastic_address_with_a_host,
    leave_hosts_in_the_default_group,
    let_the_endpoint_carry_to_any_bucket,
    let_the_bucket_be_public_by_acl,
    add_a_resource_of_an_unknown_type,
    detach_the_gateway,
]
