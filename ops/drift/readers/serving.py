"""Load balancers, and the hosts behind them."""

from __future__ import annotations

import base64

from deployment.ownership import pairs
from ops.drift.readers.reader import Client, Properties, Reader, only


def load_balancer(client: Client, identity: str, _: Properties) -> Properties:
    elb = client("elbv2")
    found = only(elb.describe_load_balancers(LoadBalancerArns=[identity]))
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
    found = only(elb.describe_target_groups(TargetGroupArns=[identity]))
    attributes = elb.describe_target_group_attributes(TargetGroupArn=identity)["Attributes"]
    return {**found, "TargetGroupAttributes": pairs(attributes)}


def listener(client: Client, identity: str, _: Properties) -> Properties:
    elb = client("elbv2")
    found = only(elb.describe_listeners(ListenerArns=[identity]))
    rules = elb.describe_rules(ListenerArn=identity)["Rules"]
    return {**found, "(Rules)": [one["RuleArn"] for one in rules if not one["IsDefault"]]}


def rule(client: Client, identity: str, expected: Properties) -> Properties:
    found = only(client("elbv2").describe_rules(RuleArns=[identity]))
    return {**found, "ListenerArn": expected["ListenerArn"]}


def launch_template(client: Client, identity: str, _: Properties) -> Properties:
    """Its newest version: one that was made by hand is a difference, whether hosts have started from it or not."""
    found = only(
        client("ec2").describe_launch_template_versions(
            LaunchTemplateId=identity, Versions=["$Latest"]
        )
    )
    data = found["LaunchTemplateData"]
    if "UserData" in data:
        data["UserData"] = base64.b64decode(data["UserData"]).decode(errors="replace")
    return {"LaunchTemplateData": data}


def group(client: Client, identity: str, _: Properties) -> Properties | None:
    """Without its desired capacity, which is the policy's to say."""
    for found in client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[identity]
    )["AutoScalingGroups"]:
        return {
            **found,
            "VPCZoneIdentifier": found["VPCZoneIdentifier"].split(","),
            "SuspendedProcesses": [
                one["ProcessName"] for one in found.get("SuspendedProcesses", [])
            ],
        }
    return None


def scaling_policy(client: Client, identity: str, expected: Properties) -> Properties | None:
    for found in client("autoscaling").describe_policies(
        AutoScalingGroupName=expected["AutoScalingGroupName"]
    )["ScalingPolicies"]:
        if identity in (found["PolicyARN"], found["PolicyName"]):
            return dict(found)
    return None


READERS: dict[str, Reader] = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": load_balancer,
    "AWS::ElasticLoadBalancingV2::TargetGroup": target_group,
    "AWS::ElasticLoadBalancingV2::Listener": listener,
    "AWS::ElasticLoadBalancingV2::ListenerRule": rule,
    "AWS::EC2::LaunchTemplate": launch_template,
    "AWS::AutoScaling::AutoScalingGroup": group,
    "AWS::AutoScaling::ScalingPolicy": scaling_policy,
}
