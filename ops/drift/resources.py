"""What the API tells of a stack's resources, beside what its template says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from deployment.ownership import pairs
from ops.drift.compare import Difference, differences
from ops.drift.findings import GONE, Drift, Findings
from ops.drift.readers import READERS
from ops.drift.readers.reader import gone
from ops.drift.resolver import Resolver

STATELESS = ("AWS::CloudFormation::WaitConditionHandle", "AWS::CloudFormation::WaitCondition")
# What a template need not say for it to be so.
IMPLIED: dict[str, dict[str, Any]] = {
    "AWS::AutoScaling::AutoScalingGroup": {"SuspendedProcesses": []},
    "AWS::CloudWatch::Alarm": {"ActionsEnabled": True},
    "AWS::IAM::Role": {"ManagedPolicyArns": [], "Policies": []},
    "AWS::IAM::User": {"ManagedPolicyArns": [], "Policies": [], "Groups": []},
    "AWS::S3::Bucket": {"VersioningConfiguration": {"Status": "Off"}},
}
# What belongs to a resource, and is none of its properties: by a reader's name for it, the type of those in the stack.
BELONGING: dict[str, dict[str, str]] = {
    "AWS::EC2::VPC": {
        "(Subnets)": "AWS::EC2::Subnet",
        "(SecurityGroups)": "AWS::EC2::SecurityGroup",
        "(RouteTables)": "AWS::EC2::RouteTable",
        "(VpcEndpoints)": "AWS::EC2::VPCEndpoint",
        "(NatGateways)": "AWS::EC2::NatGateway",
    },
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {
        "(Listeners)": "AWS::ElasticLoadBalancingV2::Listener"
    },
    "AWS::ElasticLoadBalancingV2::Listener": {
        "(Rules)": "AWS::ElasticLoadBalancingV2::ListenerRule"
    },
    "AWS::Lambda::Function": {"(Permissions)": "AWS::Lambda::Permission"},
}


def compared(client: Callable[[str], Any], resolver: Resolver) -> Findings:
    stack = resolver.stack
    found = Findings([], [])
    for logical_id, resource in stack.template.resources.items():
        if resource["Type"] not in STATELESS and resolver.exists(logical_id):
            drifts, unchecked = _compared(client, resolver, logical_id)
            found.drifts.extend(Drift(stack.name, logical_id, one) for one in drifts)
            found.unchecked.extend(f"{logical_id} {one}" for one in unchecked)
    return found


def _compared(
    client: Callable[[str], Any], resolver: Resolver, logical_id: str
) -> tuple[list[Difference], list[str]]:
    """The resource's differences, and what of it could not be compared, in words."""
    kind = resolver.template.resources[logical_id]["Type"]
    physical = resolver.stack.physical.get(logical_id)
    if physical is None:
        return [GONE], []
    if kind not in READERS:
        return [], [f"({kind})"]
    expected, unknown = _expected(resolver, logical_id, kind)
    try:
        actual = READERS[kind](client, physical, expected)
    except ClientError as refused:
        if not gone(refused):
            return [], [*unknown, f"({refused})"]
        actual = None
    if actual is None:
        return [GONE], unknown
    told = {name: value for name, value in expected.items() if name in actual}
    untold = [f"{one}, which the API does not tell" for one in expected if one not in told]
    return list(differences(told, actual)), unknown + untold


def _expected(resolver: Resolver, logical_id: str, kind: str) -> tuple[dict[str, Any], list[str]]:
    """In the shape in which readers tell it."""
    properties, unknown = resolver.properties(logical_id)
    stack = resolver.stack
    for tags in ("Tags", "TagSpecifications"):
        properties.pop(tags, None)  # CloudFormation's own detection knows which are the stack's
    expected = {**IMPLIED.get(kind, {}), **properties}
    for name in ("LoadBalancerAttributes", "TargetGroupAttributes"):
        if name in expected:
            expected[name] = pairs(expected[name])
    if "DashboardBody" in expected:
        expected["DashboardBody"] = json.loads(expected["DashboardBody"])
    for name, child in BELONGING.get(kind, {}).items():
        expected[name] = [stack.physical[one] for one, each in stack.types.items() if each == child]
    if kind == "AWS::EC2::RouteTable":
        expected["(Routes)"] = list(_routes(resolver, stack.physical[logical_id]))
    return expected, unknown


def _routes(resolver: Resolver, table: str) -> Iterator[str]:
    for logical_id, kind in resolver.stack.types.items():
        if kind == "AWS::EC2::Route":
            route, _ = resolver.properties(logical_id)
            if route["RouteTableId"] == table:
                yield route["DestinationCidrBlock"]
