"""Read a deployment's network, and whatever else could be public, from the AWS API."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from deployment.errors import UserError
from ops.target import Target

Items = list[dict[str, Any]]  # as a Describe call returns them


class State(NamedTuple):
    """The state at one moment. Dictionaries have the API's keys, and those that are named here."""

    vpc: dict[str, Any]
    subnets: Items
    route_tables: Items
    internet_gateways: set[str]  # ids of those that are attached to the VPC
    groups: Items  # security groups
    interfaces: Items  # network interfaces
    endpoints: Items  # VPC endpoints
    prefix_lists: dict[str, str]  # names of AWS's own, by id
    balancers: Items  # load balancers, each with its `Listeners`
    host_groups: Items  # Auto Scaling groups, with `Subnets` and `LaunchTemplateData`
    function_urls: list[tuple[str, dict[str, Any]]]  # each with the function's name
    blocks: dict[str, dict[str, bool]]  # flags of the public access block, by bucket
    policies: dict[str, dict[str, Any]]  # of functions and topics, by what has them
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


def read_state(target: Target) -> State:
    """Return the state at present.

    Raises UserError if the deployment has no network, and what boto3 raises.
    """
    ids = _list_ids(target)
    vpcs = ids["AWS::EC2::VPC"]
    if len(vpcs) != 1:
        raise UserError(
            f"{target.deployment} has {len(vpcs)} VPCs in {target.region}, not one. "
            "Look for what was left behind, or has the same name: make leftovers, on "
            "AWS with STACK=NAME"
        )
    request = {"Filters": [{"Name": "vpc-id", "Values": vpcs}]}
    attached = {"Filters": [{"Name": "attachment.vpc-id", "Values": vpcs}]}
    gateways = target.list_all("ec2", "describe_internet_gateways", **attached)
    lists = target.list_all("ec2", "describe_prefix_lists")
    (vpc,) = target.list_all("ec2", "describe_vpcs", VpcIds=vpcs)
    subnets = target.list_all("ec2", "describe_subnets", **request)
    inside = {subnet["SubnetId"] for subnet in subnets}
    return State(
        vpc=vpc,
        subnets=subnets,
        route_tables=target.list_all("ec2", "describe_route_tables", **request),
        internet_gateways={gateway["InternetGatewayId"] for gateway in gateways},
        groups=target.list_all("ec2", "describe_security_groups", **request),
        interfaces=target.list_all("ec2", "describe_network_interfaces", **request),
        endpoints=target.list_all("ec2", "describe_vpc_endpoints", **request),
        prefix_lists={item["PrefixListId"]: item["PrefixListName"] for item in lists},
        balancers=_list_balancers(target, inside),
        host_groups=_list_host_groups(target, inside),
        function_urls=[
            (name, url)
            for name in ids["AWS::Lambda::Function"]
            for url in target.list_all("lambda", "list_function_url_configs", FunctionName=name)
        ],
        blocks={name: _read_block(target.client("s3"), name) for name in ids["AWS::S3::Bucket"]},
        policies=_read_policies(target, ids),
        types=set(ids),
    )


def _list_ids(target: Target) -> defaultdict[str, list[str]]:
    """Return the physical ids of all resources of the deployment's stacks, by type."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for stack in target.find_stacks():
        for item in target.list_all("cloudformation", "list_stack_resources", StackName=stack):
            ids[item["ResourceType"]].append(item.get("PhysicalResourceId", ""))
    return ids


def _list_balancers(target: Target, inside: set[str]) -> Items:
    balancers = []
    for balancer in target.list_all("elbv2", "describe_load_balancers"):
        # Its subnets decide, because the local cloud returns another VPC's id.
        if inside & {zone["SubnetId"] for zone in balancer["AvailabilityZones"]}:
            request = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
            listeners = target.list_all("elbv2", "describe_listeners", **request)
            balancers.append({**balancer, "Listeners": listeners})
    return balancers


def _list_host_groups(target: Target, inside: set[str]) -> Items:
    groups = []
    for group in target.list_all("autoscaling", "describe_auto_scaling_groups"):
        subnets = set(group["VPCZoneIdentifier"].split(","))
        if not inside & subnets:
            continue
        template = group.get("LaunchTemplate")
        if not template:
            raise UserError(
                f"{group['AutoScalingGroupName']} has no launch template to read. "
                "Look for what was changed by hand: make drift, on AWS with STACK=NAME"
            )
        (version,) = target.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
        )["LaunchTemplateVersions"]
        data = version["LaunchTemplateData"]
        groups.append({**group, "Subnets": subnets, "LaunchTemplateData": data})
    return groups


def _read_block(s3: Any, bucket: str) -> dict[str, bool]:
    missing = "NoSuchPublicAccessBlockConfiguration"
    response = _call_unless(missing, s3.get_public_access_block, Bucket=bucket)
    return dict(response.get("PublicAccessBlockConfiguration", {}))


def _read_policies(target: Target, ids: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    policies = {}
    call = target.client("lambda").get_policy
    for name in ids["AWS::Lambda::Function"]:
        response = _call_unless("ResourceNotFoundException", call, FunctionName=name)
        policies[f"function {name}"] = json.loads(response.get("Policy", "{}"))
    for arn in ids["AWS::SNS::Topic"]:
        attributes = target.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
        policies[f"topic {arn}"] = json.loads(attributes["Policy"])
    return policies


def _call_unless(code: str, call: Callable[..., dict[str, Any]], **request: Any) -> dict[str, Any]:
    """Return the response, or {} if it is an error with that code."""
    try:
        return call(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] == code:
            return {}
        raise
