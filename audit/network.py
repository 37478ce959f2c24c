"""What the API says of a VPC's and a balancer's resources, in the shape of a template's properties.

A reader takes clients, the physical id and the expected properties, and gives those that the API tells; None for a
resource that is gone. "(Listeners)" and the like are no properties: what somebody may have added by hand.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from deployment.ownership import pairs

Properties = dict[str, Any]
Client = Callable[[str], Any]
Reader = Callable[[Client, str, Properties], Properties | None]


def vpc(client: Client, identity: str, _: Properties) -> Properties:
    ec2 = client("ec2")
    (found,) = ec2.describe_vpcs(VpcIds=[identity])["Vpcs"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        attribute = name[0].lower() + name[1:]
        found[name] = ec2.describe_vpc_attribute(VpcId=identity, Attribute=attribute)[name]["Value"]
    here = [{"Name": "vpc-id", "Values": [identity]}]
    groups = ec2.describe_security_groups(Filters=here)["SecurityGroups"]
    tables = ec2.describe_route_tables(Filters=here)["RouteTables"]
    gateways = ec2.describe_nat_gateways(Filters=here)["NatGateways"]
    return {
        **found,
        "(Subnets)": [one["SubnetId"] for one in ec2.describe_subnets(Filters=here)["Subnets"]],
        "(SecurityGroups)": [one["GroupId"] for one in groups if one["GroupName"] != "default"],
        "(RouteTables)": [
            one["RouteTableId"]
            for one in tables
            if not any(each.get("Main") for each in one["Associations"])
        ],
        "(VpcEndpoints)": [
            one["VpcEndpointId"] for one in ec2.describe_vpc_endpoints(Filters=here)["VpcEndpoints"]
        ],
        "(NatGateways)": [one["NatGatewayId"] for one in gateways if one["State"] != "deleted"],
    }


def subnet(client: Client, identity: str, _: Properties) -> Properties:
    (found,) = client("ec2").describe_subnets(SubnetIds=[identity])["Subnets"]
    return dict(found)


def internet_gateway(client: Client, identity: str, _: Properties) -> Properties:
    (found,) = client("ec2").describe_internet_gateways(InternetGatewayIds=[identity])[
        "InternetGateways"
    ]
    return dict(found)


def attachment(client: Client, _: str, expected: Properties) -> Properties | None:
    found = internet_gateway(client, expected["InternetGatewayId"], expected)
    attached = [one["VpcId"] for one in found["Attachments"]]
    return expected if expected["VpcId"] in attached else None


def route_table(client: Client, identity: str, _: Properties) -> Properties:
    (found,) = client("ec2").describe_route_tables(RouteTableIds=[identity])["RouteTables"]
    # Its own network's, and the gateway endpoint's, which comes and goes with the endpoint.
    routes = [
        one.get("DestinationCidrBlock") or one.get("DestinationIpv6CidrBlock") or "a prefix list"
        for one in found["Routes"]
        if one.get("GatewayId") != "local" and not one.get("GatewayId", "").startswith("vpce-")
    ]
    return {**found, "(Routes)": routes}


def route(client: Client, _: str, expected: Properties) -> Properties | None:
    table = expected["RouteTableId"]
    (found,) = client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
    for one in found["Routes"]:
        if one.get("DestinationCidrBlock") == expected["DestinationCidrBlock"]:
            return {**one, "RouteTableId": table}
    return None


def association(client: Client, _: str, expected: Properties) -> Properties | None:
    here = [{"Name": "association.subnet-id", "Values": [expected["SubnetId"]]}]
    for one in client("ec2").describe_route_tables(Filters=here)["RouteTables"]:
        return {"SubnetId": expected["SubnetId"], "RouteTableId": one["RouteTableId"]}
    return None


def endpoint(client: Client, identity: str, _: Properties) -> Properties | None:
    (found,) = client("ec2").describe_vpc_endpoints(VpcEndpointIds=[identity])["VpcEndpoints"]
    if "PolicyDocument" in found:
        found["PolicyDocument"] = json.loads(found["PolicyDocument"])
    return None if found["State"] == "deleted" else found


def security_group(client: Client, identity: str, _: Properties) -> Properties:
    (found,) = client("ec2").describe_security_groups(GroupIds=[identity])["SecurityGroups"]
    return {
        "GroupDescription": found["Description"],
        "VpcId": found["VpcId"],
        "SecurityGroupIngress": _rules(found["IpPermissions"], "Source"),
        "SecurityGroupEgress": _rules(found["IpPermissionsEgress"], "Destination"),
    }


def _rules(permissions: list[Properties], side: str) -> list[Properties]:
    """One for each peer, as templates have them."""
    rules = []
    for permission in permissions:
        ports: Properties = {
            key: permission[key]
            for key in ("IpProtocol", "FromPort", "ToPort")
            if key in permission
        }
        for listed, key, name in (
            ("IpRanges", "CidrIp", "CidrIp"),
            ("Ipv6Ranges", "CidrIpv6", "CidrIpv6"),
            ("PrefixListIds", "PrefixListId", f"{side}PrefixListId"),
            ("UserIdGroupPairs", "GroupId", f"{side}SecurityGroupId"),
        ):
            for peer in permission.get(listed, []):
                told = {"Description": peer["Description"]} if peer.get("Description") else {}
                rules.append({**ports, name: peer[key], **told})
    return rules


def launch_template(client: Client, identity: str, _: Properties) -> Properties:
    """Its newest version: one that was made by hand is a difference, whether hosts have started from it or not."""
    (found,) = client("ec2").describe_launch_template_versions(
        LaunchTemplateId=identity, Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    data = found["LaunchTemplateData"]
    if "UserData" in data:
        data["UserData"] = base64.b64decode(data["UserData"]).decode(errors="replace")
    return {"LaunchTemplateData": data}


def load_balancer(client: Client, identity: str, _: Properties) -> Properties:
    elb = client("elbv2")
    (found,) = elb.describe_load_balancers(LoadBalancerArns=[identity])["LoadBalancers"]
    attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=identity)["Attributes"]
    listeners = elb.describe_listeners(LoadBalancerArn=identity)["Listeners"]
    return {
        **found,
        "Subnets": [one["SubnetId"] for one in found["AvailabilityZones"]],
        "LoadBalancerAttributes": pairs(attributes),
        "(Listeners)": [one["ListenerArn"] for one in listeners],
    }


def target_group(client: Client, identity: str, _: Properties) -> Properties:
    elb = client("elbv2")
    (found,) = elb.describe_target_groups(TargetGroupArns=[identity])["TargetGroups"]
    attributes = elb.describe_target_group_attributes(TargetGroupArn=identity)["Attributes"]
    return {**found, "TargetGroupAttributes": pairs(attributes)}


def listener(client: Client, identity: str, _: Properties) -> Properties:
    elb = client("elbv2")
    (found,) = elb.describe_listeners(ListenerArns=[identity])["Listeners"]
    rules = elb.describe_rules(ListenerArn=identity)["Rules"]
    return {**found, "(Rules)": [one["RuleArn"] for one in rules if not one["IsDefault"]]}


def rule(client: Client, identity: str, expected: Properties) -> Properties:
    (found,) = client("elbv2").describe_rules(RuleArns=[identity])["Rules"]
    return {**found, "ListenerArn": expected["ListenerArn"]}


def gone(refused: ClientError) -> bool:
    """Whether an API's refusal says that there is no such thing."""
    code = refused.response["Error"]["Code"]
    return any(word in code for word in ("NotFound", "NoSuch", "404"))


READERS: dict[str, Reader] = {
    "AWS::EC2::VPC": vpc,
    "AWS::EC2::Subnet": subnet,
    "AWS::EC2::InternetGateway": internet_gateway,
    "AWS::EC2::VPCGatewayAttachment": attachment,
    "AWS::EC2::RouteTable": route_table,
    "AWS::EC2::Route": route,
    "AWS::EC2::SubnetRouteTableAssociation": association,
    "AWS::EC2::VPCEndpoint": endpoint,
    "AWS::EC2::SecurityGroup": security_group,
    "AWS::EC2::LaunchTemplate": launch_template,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": load_balancer,
    "AWS::ElasticLoadBalancingV2::TargetGroup": target_group,
    "AWS::ElasticLoadBalancingV2::Listener": listener,
    "AWS::ElasticLoadBalancingV2::ListenerRule": rule,
}
