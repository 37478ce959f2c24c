"""A VPC and what is in it."""

from __future__ import annotations

import json

from ops.drift.readers.reader import Client, Properties, Reader, only


def vpc(client: Client, identity: str, _: Properties) -> Properties:
    ec2 = client("ec2")
    found = only(ec2.describe_vpcs(VpcIds=[identity]))
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
    return only(client("ec2").describe_subnets(SubnetIds=[identity]))


def internet_gateway(client: Client, identity: str, _: Properties) -> Properties:
    return only(client("ec2").describe_internet_gateways(InternetGatewayIds=[identity]))


def attachment(client: Client, _: str, expected: Properties) -> Properties | None:
    found = internet_gateway(client, expected["InternetGatewayId"], expected)
    attached = [one["VpcId"] for one in found["Attachments"]]
    return expected if expected["VpcId"] in attached else None


def route_table(client: Client, identity: str, _: Properties) -> Properties:
    found = only(client("ec2").describe_route_tables(RouteTableIds=[identity]))
    # Its own network's, and the gateway endpoint's, which comes and goes with the endpoint.
    routes = [
        one.get("DestinationCidrBlock") or one.get("DestinationIpv6CidrBlock") or "a prefix list"
        for one in found["Routes"]
        if one.get("GatewayId") != "local" and not one.get("GatewayId", "").startswith("vpce-")
    ]
    return {**found, "(Routes)": routes}


def route(client: Client, _: str, expected: Properties) -> Properties | None:
    table = expected["RouteTableId"]
    found = only(client("ec2").describe_route_tables(RouteTableIds=[table]))
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
    found = only(client("ec2").describe_vpc_endpoints(VpcEndpointIds=[identity]))
    if "PolicyDocument" in found:
        found["PolicyDocument"] = json.loads(found["PolicyDocument"])
    return None if found["State"] == "deleted" else found


def security_group(client: Client, identity: str, _: Properties) -> Properties:
    found = only(client("ec2").describe_security_groups(GroupIds=[identity]))
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
}
