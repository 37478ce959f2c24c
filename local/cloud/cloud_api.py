"""What the AWS API says should be: groups, targets, listener rules, endpoint policy. Read-only but for metrics."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from local.cloud import endpoint

ENDPOINT = "http://cloud.internal:4566"
# A round that waits for an API that is away helps nobody; the next one comes in a second.
PATIENCE = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1})


class Group(NamedTuple):
    """An Auto Scaling group with what its launch template says of a host."""

    name: str
    desired: int
    zones: list[str]
    grace_period: int  # seconds
    user_data: str  # base64, as the API returns it
    hop_limit: int
    profile: str  # the instance profile's ARN


class Balancing(NamedTuple):
    """A load balancer's settings, as the API returns them."""

    load_balancer: dict[str, Any]
    attributes: dict[str, str]
    target_group: dict[str, Any]
    target_attributes: dict[str, str]
    rules: list[dict[str, Any]]  # the listener's, the default one last
    endpoint_policy: dict[str, Any]


def client(service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=os.environ["AWS_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - known to everybody: the account's root, for what AWS does itself
        config=PATIENCE,
    )


def groups() -> list[Group]:
    found = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return [_group(raw) for raw in found]


def _group(raw: dict[str, Any]) -> Group:
    ec2 = client("ec2")
    template = raw["LaunchTemplate"]
    version = ec2.describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    subnets = ec2.describe_subnets(SubnetIds=raw["VPCZoneIdentifier"].split(","))["Subnets"]
    return Group(
        name=raw["AutoScalingGroupName"],
        desired=raw["DesiredCapacity"],
        zones=sorted(subnet["AvailabilityZone"] for subnet in subnets),
        grace_period=raw["HealthCheckGracePeriod"],
        user_data=version["UserData"],
        hop_limit=version["MetadataOptions"]["HttpPutResponseHopLimit"],
        profile=version["IamInstanceProfile"]["Arn"],
    )


def role(profile: str, instance: str) -> dict[str, str]:
    """What EC2 takes the role of an instance profile for: its name, and credentials in the metadata service's form.

    EC2 renews them. These last for twelve hours, the most that there is, and a host needs them while it boots.
    """
    found = client("iam").get_instance_profile(InstanceProfileName=profile.split("/")[-1])
    (role,) = found["InstanceProfile"]["Roles"]
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


def balancing() -> Balancing | None:
    """The account's one load balancer; None until its stack stands.

    The emulator does not say which target group a host group belongs to: there is only one.
    """
    elb = client("elbv2")
    balancers = elb.describe_load_balancers()["LoadBalancers"]
    targets = elb.describe_target_groups()["TargetGroups"]
    if not balancers or not targets:
        return None
    arn = balancers[0]["LoadBalancerArn"]
    listeners = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    if not listeners:
        return None
    rules = elb.describe_rules(ListenerArn=listeners[0]["ListenerArn"])["Rules"]
    return Balancing(
        load_balancer=balancers[0],
        attributes=_pairs(elb.describe_load_balancer_attributes(LoadBalancerArn=arn)),
        target_group=targets[0],
        target_attributes=_pairs(
            elb.describe_target_group_attributes(TargetGroupArn=targets[0]["TargetGroupArn"])
        ),
        rules=sorted(rules, key=lambda rule: (rule["IsDefault"], rule["Priority"].zfill(5))),
        endpoint_policy=endpoint.policy(client("ec2"), client("cloudformation")),
    )


def _pairs(answer: dict[str, Any]) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in answer["Attributes"]}


def put_metrics(balancing: Balancing, hosts: Mapping[str, int], answers: Mapping[str, int]) -> None:
    """What Elastic Load Balancing reports each minute, for the alarms to look at: metric -> value.

    It leaves out metrics of answers that are 0; here an alarm would never come back, as the emulator looks at one only
    when there is a value.
    """
    balancer = {
        "Name": "LoadBalancer",
        "Value": balancing.load_balancer["LoadBalancerArn"].split("loadbalancer/")[1],
    }
    targets = {
        "Name": "TargetGroup",
        "Value": balancing.target_group["TargetGroupArn"].split(":")[-1],
    }
    client("cloudwatch").put_metric_data(
        Namespace="AWS/ApplicationELB",
        MetricData=[
            {"MetricName": name, "Value": value, "Dimensions": dimensions}
            for metrics, dimensions in ((hosts, [balancer, targets]), (answers, [balancer]))
            for name, value in metrics.items()
        ],
    )
