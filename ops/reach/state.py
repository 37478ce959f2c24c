"""A deployment's network, and what else of it could have a door of its own, as the AWS API describes them."""

from __future__ import annotations

from typing import Any, NamedTuple

from deployment.errors import UserError
from ops.reach import documents
from ops.target import Target

Items = list[dict[str, Any]]  # what a Describe call returns


class State(NamedTuple):
    """One moment's state. Dictionaries have the API's own keys, and those that are named here."""

    vpc: dict[str, Any]
    resolver: bool  # whether Amazon's DNS resolver answers in the VPC
    subnets: Items
    route_tables: Items
    internet_gateways: set[str]  # ids of those that are attached to the VPC
    acls: Items
    groups: Items  # security groups
    interfaces: Items  # network interfaces, and instances whose interfaces the API does not tell
    addresses: Items  # Elastic IP addresses that are associated
    endpoints: Items  # VPC endpoints, each with the `PrefixListId` of its service
    balancers: Items  # load balancers, each with its `Listeners`
    host_groups: Items  # Auto Scaling groups, each with the `LaunchTemplateData` of its hosts
    functions: Items  # Lambda functions: FunctionName, `Urls`, `Policy`
    buckets: Items  # Name, `Block` (of public access: its flags), `Policy`, `Grants` (of the ACL)
    topics: Items  # SNS topics: TopicArn, `Policy`
    types: set[str]  # of all resources of the deployment's stacks


def read(target: Target) -> State:
    """Raises UserError if the deployment has no network, and what boto3 raises."""
    ids = _ids(target)
    vpcs = ids.get("AWS::EC2::VPC", [])
    if len(vpcs) != 1:
        raise UserError(f"{target.deployment} has {len(vpcs)} VPCs in {target.region}, not one")
    ec2 = target.client("ec2")
    here = [{"Name": "vpc-id", "Values": vpcs}]
    subnets = target.list_all("ec2", "describe_subnets", Filters=here)
    inside = {one["SubnetId"] for one in subnets}
    support = ec2.describe_vpc_attribute(VpcId=vpcs[0], Attribute="enableDnsSupport")
    return State(
        vpc=ec2.describe_vpcs(VpcIds=vpcs)["Vpcs"][0],
        resolver=support["EnableDnsSupport"]["Value"],
        subnets=subnets,
        route_tables=target.list_all("ec2", "describe_route_tables", Filters=here),
        internet_gateways={
            one["InternetGatewayId"]
            for one in target.list_all("ec2", "describe_internet_gateways")
            if any(attached["VpcId"] in vpcs for attached in one["Attachments"])
        },
        acls=target.list_all("ec2", "describe_network_acls", Filters=here),
        groups=target.list_all("ec2", "describe_security_groups", Filters=here),
        interfaces=_interfaces(target, vpcs[0]),
        addresses=[
            one for one in ec2.describe_addresses()["Addresses"] if one.get("AssociationId")
        ],
        endpoints=_endpoints(target, here),
        balancers=_balancers(target, inside),
        host_groups=_host_groups(target, inside, ids.get("AWS::AutoScaling::AutoScalingGroup", [])),
        functions=[
            documents.function(target, name) for name in ids.get("AWS::Lambda::Function", [])
        ],
        buckets=[documents.bucket(target, name) for name in ids.get("AWS::S3::Bucket", [])],
        topics=[documents.topic(target, arn) for arn in ids.get("AWS::SNS::Topic", [])],
        types=set(ids),
    )


def _ids(target: Target) -> dict[str, list[str]]:
    """The physical ids of all resources of the deployment's stacks, by type."""
    stacks = [
        stack["StackName"]
        for stack in target.list_all("cloudformation", "describe_stacks")
        if {"Key": "deployment", "Value": target.deployment} in stack.get("Tags", [])
    ]
    if not stacks:
        raise UserError(f"there is no deployment {target.deployment} in {target.region}")
    ids: dict[str, list[str]] = {}
    for name in stacks:
        for one in target.list_all("cloudformation", "list_stack_resources", StackName=name):
            ids.setdefault(one["ResourceType"], []).append(one.get("PhysicalResourceId", ""))
    return ids


def _interfaces(target: Target, vpc: str) -> Items:
    """Every instance on AWS has interfaces of its own; those of the local cloud are told without."""
    interfaces = target.list_all("ec2", "describe_network_interfaces")
    for reservation in target.list_all("ec2", "describe_instances"):
        for one in reservation["Instances"]:
            if one["State"]["Name"] != "terminated" and not one.get("NetworkInterfaces"):
                address = {"PublicIp": one.get("PublicIpAddress")}
                interfaces.append({**one, "Groups": one["SecurityGroups"], "Association": address})
    return [one for one in interfaces if one.get("VpcId") == vpc]


def _endpoints(target: Target, here: Items) -> Items:
    lists = {
        one["PrefixListName"]: one["PrefixListId"]
        for one in target.list_all("ec2", "describe_prefix_lists")
    }
    return [
        {**one, "PrefixListId": lists.get(one["ServiceName"], "")}
        for one in target.list_all("ec2", "describe_vpc_endpoints", Filters=here)
    ]


def _balancers(target: Target, inside: set[str]) -> Items:
    return [
        {
            **one,
            "Listeners": target.list_all(
                "elbv2", "describe_listeners", LoadBalancerArn=one["LoadBalancerArn"]
            ),
        }
        for one in target.list_all("elbv2", "describe_load_balancers")
        # By its subnets, because the local cloud says the wrong VpcId.
        if inside & {zone["SubnetId"] for zone in one["AvailabilityZones"]}
    ]


def _host_groups(target: Target, inside: set[str], ours: list[str]) -> Items:
    found = []
    for group in target.list_all("autoscaling", "describe_auto_scaling_groups"):
        subnets = set(group["VPCZoneIdentifier"].split(","))
        if group["AutoScalingGroupName"] in ours or inside & subnets:
            template = group.get("LaunchTemplate")
            if not template:
                raise UserError(f"{group['AutoScalingGroupName']} has no launch template to read")
            versions = target.client("ec2").describe_launch_template_versions(
                LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
            )["LaunchTemplateVersions"]
            data = versions[0]["LaunchTemplateData"]
            found.append({**group, "Subnets": subnets, "LaunchTemplateData": data})
    return found
