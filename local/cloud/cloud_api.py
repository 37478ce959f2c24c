"""The controller's view of the AWS API: groups and load balancing to read, metrics to write."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from local.api import client_of

ENDPOINT = "http://cloud.internal:4566"
# The root user acts for AWS itself. Clients are cached because making one is slow.
client = cache(client_of(ENDPOINT))


class Group(NamedTuple):
    """An Auto Scaling group with what its launch template defines of a host.

    most: how many hosts it may have. grace_period: seconds. user_data: base64, as the API returns
    it. profile: an ARN.
    """

    name: str
    desired: int
    zones: list[str]
    grace_period: int
    user_data: str
    hop_limit: int
    profile: str
    most: int


class Balancing(NamedTuple):
    """A load balancer as the API describes it. rules: the listener's, the default one last."""

    load_balancer: dict[str, Any]
    attributes: dict[str, str]
    target_group: dict[str, Any]
    target_attributes: dict[str, str]
    rules: list[dict[str, Any]]
    endpoint_policy: dict[str, Any]


def list_groups() -> list[Group]:
    groups = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return [_parse_group(group) for group in groups]


def _parse_group(group: dict[str, Any]) -> Group:
    ec2 = client("ec2")
    template = group["LaunchTemplate"]
    version = ec2.describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    subnets = ec2.describe_subnets(SubnetIds=group["VPCZoneIdentifier"].split(","))["Subnets"]
    return Group(
        name=group["AutoScalingGroupName"],
        desired=group["DesiredCapacity"],
        zones=sorted(subnet["AvailabilityZone"] for subnet in subnets),
        grace_period=group["HealthCheckGracePeriod"],
        user_data=version["UserData"],
        hop_limit=version["MetadataOptions"]["HttpPutResponseHopLimit"],
        profile=version["IamInstanceProfile"]["Arn"],
        most=group["MaxSize"],
    )


def assume_role(profile: str, instance: str) -> dict[str, str]:
    """Return the instance profile's role and its credentials, in the metadata service's form.

    EC2 renews credentials. These last for twelve hours, the most that AWS allows, and a host needs
    them only during its boot.
    """
    name = profile.split("/")[-1]
    response = client("iam").get_instance_profile(InstanceProfileName=name)
    (role,) = response["InstanceProfile"]["Roles"]
    session = client("sts").assume_role(
        RoleArn=role["Arn"], RoleSessionName=instance, DurationSeconds=12 * 3600
    )["Credentials"]
    return {
        "Role": role["RoleName"],
        "AccessKeyId": session["AccessKeyId"],
        "SecretAccessKey": session["SecretAccessKey"],
        "Token": session["SessionToken"],
        "Expiration": session["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def get_balancing() -> Balancing | None:
    """Return the account's only load balancer, or None until its stack is complete.

    The emulator does not return to which target group a host group belongs.
    """
    elb = client("elbv2")
    balancers = elb.describe_load_balancers()["LoadBalancers"]
    targets = elb.describe_target_groups()["TargetGroups"]
    if not balancers or not targets:
        return None
    arn = balancers[0]["LoadBalancerArn"]
    target_arn = targets[0]["TargetGroupArn"]
    listeners = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    if not listeners:
        return None
    (vpc_endpoint,) = client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    rules = elb.describe_rules(ListenerArn=listeners[0]["ListenerArn"])["Rules"]
    return Balancing(
        load_balancer=balancers[0],
        attributes=_parse_attributes(elb.describe_load_balancer_attributes(LoadBalancerArn=arn)),
        target_group=targets[0],
        target_attributes=_parse_attributes(
            elb.describe_target_group_attributes(TargetGroupArn=target_arn)
        ),
        rules=sorted(rules, key=lambda rule: (rule["IsDefault"], rule["Priority"].zfill(5))),
        endpoint_policy=json.loads(vpc_endpoint["PolicyDocument"]),
    )


def _parse_attributes(response: dict[str, Any]) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in response["Attributes"]}


def put_metrics(balancing: Balancing, hosts: Mapping[str, int], errors: Mapping[str, int]) -> None:
    """Write what Elastic Load Balancing reports each minute, for the alarms: metric -> value.

    AWS leaves out counts of 0. Here an alarm would never end without them, because the emulator
    evaluates an alarm only when there is a value.
    """
    arn = balancing.load_balancer["LoadBalancerArn"]
    target_arn = balancing.target_group["TargetGroupArn"]
    balancer = {"Name": "LoadBalancer", "Value": arn.split("loadbalancer/")[1]}
    targets = {"Name": "TargetGroup", "Value": target_arn.split(":")[-1]}
    data = [
        {"MetricName": name, "Value": value, "Dimensions": dimensions}
        for metrics, dimensions in ((hosts, [balancer, targets]), (errors, [balancer]))
        for name, value in metrics.items()
    ]
    client("cloudwatch").put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)
