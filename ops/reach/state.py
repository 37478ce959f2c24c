"""Read a deployment's network, and whatever else could be public, from the AWS API."""

import json
from collections import defaultdict
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from deployment.errors import UserError
from ops.target import Target

Items = list[dict[str, Any]]  # as a Describe call returns them


class State(NamedTuple):
    """The state at one moment. Dictionaries have the API's keys, and those that are named here."""

    resolver: bool  # whether Amazon's DNS resolver is on in the VPC
    subnets: Items
    route_tables: Items
    internet_gateways: set[str]  # ids of those that are attached to the VPC
    acls: Items
    groups: Items  # security groups
    interfaces: Items  # network interfaces, and instances that are listed without any
    addresses: Items  # Elastic IP addresses that are associated
    endpoints: Items  # VPC endpoints, each with the `PrefixListId` of its service
    balancers: Items  # load balancers, each with its `Listeners`
    host_groups: Items  # Auto Scaling groups, with `Subnets` and `LaunchTemplateData`
    functions: Items  # FunctionName, `Urls`, `Policy`
    buckets: Items  # Name, `Block` (flags of the public access block), `Policy`, `Grants` (ACL)
    topics: Items  # TopicArn, `Policy`
    types: set[str]  # of all resources of the deployment's stacks

    def get_rules(self, groups: list[str], key: str = "IpPermissions") -> Items:
        """Return the rules of the security groups with these ids."""
        return [rule for group in self.groups if group["GroupId"] in groups for rule in group[key]]

    def get_route_table(self, subnet: str) -> dict[str, Any]:
        """Return the subnet's own route table, or the main one; {} if there is neither."""
        main: dict[str, Any] = {}
        for table in self.route_tables:
            for association in table["Associations"]:
                if association.get("SubnetId") == subnet:
                    return table
                if association.get("Main"):
                    main = table
        return main

    def get_acl(self, subnet: str) -> Items | None:
        """Return the entries of the subnet's network ACL, or None if the API returns none."""
        default = None
        for acl in self.acls:
            if any(item.get("SubnetId") == subnet for item in acl["Associations"]):
                return list(acl["Entries"])
            if acl["IsDefault"]:
                default = acl["Entries"]
        return default


def read_state(target: Target) -> State:
    """Raise UserError if the deployment has no network, and what boto3 raises."""
    ids = _list_ids(target)
    types = set(ids)
    vpcs = ids["AWS::EC2::VPC"]
    if len(vpcs) != 1:
        raise UserError(f"{target.deployment} has {len(vpcs)} VPCs in {target.region}, not one")
    ec2 = target.client("ec2")
    request = {"Filters": [{"Name": "vpc-id", "Values": vpcs}]}
    subnets = target.list_all("ec2", "describe_subnets", **request)
    inside = {subnet["SubnetId"] for subnet in subnets}
    support = ec2.describe_vpc_attribute(VpcId=vpcs[0], Attribute="enableDnsSupport")
    attached = [{"Name": "attachment.vpc-id", "Values": vpcs}]
    gateways = target.list_all("ec2", "describe_internet_gateways", Filters=attached)
    addresses = ec2.describe_addresses()["Addresses"]
    return State(
        resolver=support["EnableDnsSupport"]["Value"],
        subnets=subnets,
        route_tables=target.list_all("ec2", "describe_route_tables", **request),
        internet_gateways={gateway["InternetGatewayId"] for gateway in gateways},
        acls=target.list_all("ec2", "describe_network_acls", **request),
        groups=target.list_all("ec2", "describe_security_groups", **request),
        interfaces=_list_interfaces(target, vpcs[0]),
        addresses=[address for address in addresses if address.get("AssociationId")],
        endpoints=_list_endpoints(target, request),
        balancers=_list_balancers(target, inside),
        host_groups=_list_host_groups(target, inside, ids["AWS::AutoScaling::AutoScalingGroup"]),
        functions=[_read_function(target, name) for name in ids["AWS::Lambda::Function"]],
        buckets=[_read_bucket(target, name) for name in ids["AWS::S3::Bucket"]],
        topics=[_read_topic(target, arn) for arn in ids["AWS::SNS::Topic"]],
        types=types,
    )


def _list_ids(target: Target) -> defaultdict[str, list[str]]:
    """Return the physical ids of all resources of the deployment's stacks, by type."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    tag = {"Key": "deployment", "Value": target.deployment}
    for stack in target.list_all("cloudformation", "describe_stacks"):
        if tag in stack.get("Tags", []):
            request = {"StackName": stack["StackName"]}
            for item in target.list_all("cloudformation", "list_stack_resources", **request):
                ids[item["ResourceType"]].append(item.get("PhysicalResourceId", ""))
    if not ids:
        raise UserError(f"there is no deployment {target.deployment} in {target.region}")
    return ids


def _list_interfaces(target: Target, vpc: str) -> Items:
    interfaces = target.list_all("ec2", "describe_network_interfaces")
    # An instance on AWS has interfaces of its own; the local cloud lists it without.
    for reservation in target.list_all("ec2", "describe_instances"):
        for host in reservation["Instances"]:
            if host["State"]["Name"] != "terminated" and not host.get("NetworkInterfaces"):
                address = {"PublicIp": host.get("PublicIpAddress")}
                groups = host["SecurityGroups"]
                interfaces.append({**host, "Groups": groups, "Association": address})
    return [interface for interface in interfaces if interface.get("VpcId") == vpc]


def _list_endpoints(target: Target, request: dict[str, Any]) -> Items:
    lists = target.list_all("ec2", "describe_prefix_lists")
    ids = {item["PrefixListName"]: item["PrefixListId"] for item in lists}
    return [
        {**endpoint, "PrefixListId": ids.get(endpoint["ServiceName"], "")}
        for endpoint in target.list_all("ec2", "describe_vpc_endpoints", **request)
    ]


def _list_balancers(target: Target, inside: set[str]) -> Items:
    balancers = []
    for balancer in target.list_all("elbv2", "describe_load_balancers"):
        # By its subnets, because the local cloud returns another VPC's id.
        if inside & {zone["SubnetId"] for zone in balancer["AvailabilityZones"]}:
            request = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
            listeners = target.list_all("elbv2", "describe_listeners", **request)
            balancers.append({**balancer, "Listeners": listeners})
    return balancers


def _list_host_groups(target: Target, inside: set[str], declared: list[str]) -> Items:
    groups = []
    for group in target.list_all("autoscaling", "describe_auto_scaling_groups"):
        subnets = set(group["VPCZoneIdentifier"].split(","))
        if group["AutoScalingGroupName"] not in declared and not inside & subnets:
            continue
        template = group.get("LaunchTemplate")
        if not template:
            raise UserError(f"{group['AutoScalingGroupName']} has no launch template to read")
        (version,) = target.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
        )["LaunchTemplateVersions"]
        data = version["LaunchTemplateData"]
        groups.append({**group, "Subnets": subnets, "LaunchTemplateData": data})
    return groups


def _read_function(target: Target, name: str) -> dict[str, Any]:
    policy = _call_unless(
        "ResourceNotFoundException", target.client("lambda").get_policy, FunctionName=name
    ).get("Policy", "{}")
    urls = target.list_all("lambda", "list_function_url_configs", FunctionName=name)
    return {"FunctionName": name, "Urls": urls, "Policy": json.loads(policy)}


def _read_bucket(target: Target, name: str) -> dict[str, Any]:
    s3, bucket = target.client("s3"), {"Bucket": name}
    block = _call_unless(
        "NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, **bucket
    ).get("PublicAccessBlockConfiguration", {})
    policy = _call_unless("NoSuchBucketPolicy", s3.get_bucket_policy, **bucket).get("Policy", "{}")
    grants = s3.get_bucket_acl(**bucket)["Grants"]
    return {"Name": name, "Block": block, "Policy": json.loads(policy), "Grants": grants}


def _read_topic(target: Target, arn: str) -> dict[str, Any]:
    attributes = target.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    return {"TopicArn": arn, "Policy": json.loads(attributes["Policy"])}


def _call_unless(code: str, call: Any, **request: Any) -> dict[str, Any]:
    """Return the response, or {} if it is an error with that code."""
    try:
        response: dict[str, Any] = call(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] == code:
            return {}
        raise
    return response
