"""A deployment's stacks: what each says of its resources, and what CloudFormation and the API say of those."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from audit import network, services
from audit.compare import Difference, differences
from audit.expected import NotKnown, Resolver, Stack
from deployment.ownership import Deployment, pairs
from deployment.template import Template

READERS = {**network.READERS, **services.READERS}
STATELESS = ("AWS::CloudFormation::WaitConditionHandle", "AWS::CloudFormation::WaitCondition")
DETECTION = 300  # seconds for one stack's

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


class Drift(NamedTuple):
    """A difference in a stack. logical_id: "" for one of the stack itself. by: who told."""

    stack: str
    logical_id: str
    difference: Difference


class Findings(NamedTuple):
    drifts: list[Drift]
    unchecked: list[str]  # in words


def stacks(client: Callable[[str], Any], region: str, deployment: Deployment) -> list[Stack]:
    """Those of the deployment, with what is needed to know what their resources should be."""
    cloudformation = client("cloudformation")
    caller = client("sts").get_caller_identity()
    return [
        _stack(cloudformation, one, region, caller)
        for one in deployment.stacks(cloudformation)
        if deployment.reason(one["StackName"], pairs(one.get("Tags")))
    ]


def _stack(cloudformation: Any, told: dict[str, Any], region: str, caller: dict[str, str]) -> Stack:
    name = told["StackName"]
    resources = [
        one
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        for one in page["StackResourceSummaries"]
    ]
    parameters = told.get("Parameters", [])
    return Stack(
        name,
        told["StackStatus"],
        Template(cloudformation.get_template(StackName=name)["TemplateBody"]),
        {
            one["ParameterKey"]: one.get("ResolvedValue", one["ParameterValue"])
            for one in parameters
        },
        {one["OutputKey"]: one["OutputValue"] for one in told.get("Outputs", [])},
        {
            "AWS::AccountId": caller["Account"],
            "AWS::Partition": caller["Arn"].split(":")[1],
            "AWS::Region": region,
            "AWS::StackId": told["StackId"],
            "AWS::StackName": name,
            "AWS::URLSuffix": "amazonaws.com",
        },
        {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in resources},
        {one["LogicalResourceId"]: one["ResourceType"] for one in resources},
    )


def detected(cloudformation: Any, stack: Stack) -> Findings:
    """What CloudFormation's own drift detection finds; in `unchecked` why it did not run."""
    try:
        detection = cloudformation.detect_stack_drift(StackName=stack.name)["StackDriftDetectionId"]
        deadline = time.monotonic() + DETECTION
        while True:
            told = cloudformation.describe_stack_drift_detection_status(
                StackDriftDetectionId=detection
            )
            if told["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
            if time.monotonic() > deadline:
                return Findings(
                    [], [f"CloudFormation's own detection takes more than {DETECTION} s"]
                )
            time.sleep(0.5)
        drifts = list(_told(cloudformation, stack))
    except (BotoCoreError, ClientError) as refused:
        return Findings([], [f"CloudFormation's own detection: {refused}"])
    failed = told["DetectionStatus"] == "DETECTION_FAILED"
    why = f"CloudFormation's own detection: {told.get('DetectionStatusReason')}"
    return Findings(drifts, [why] if failed else [])


def _told(cloudformation: Any, stack: Stack) -> Iterator[Drift]:
    options = {"StackName": stack.name, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
    while True:  # boto3 has no paginator for it
        answer = cloudformation.describe_stack_resource_drifts(**options)
        for one in answer["StackResourceDrifts"]:
            if one["StackResourceDriftStatus"] == "DELETED":
                yield Drift(stack.name, one["LogicalResourceId"], GONE)
            for each in one.get("PropertyDifferences", []):
                found = Difference(each["PropertyPath"], each["ExpectedValue"], each["ActualValue"])
                yield Drift(stack.name, one["LogicalResourceId"], found)
        if not (token := answer.get("NextToken")):
            return
        options["NextToken"] = token


GONE = Difference("", "there", "deleted")


def compared(client: Callable[[str], Any], resolver: Resolver) -> Findings:
    """What the API tells of the stack's resources, beside what its template says."""
    stack = resolver.stack
    drifts: list[Drift] = []
    unchecked: list[str] = []
    for logical_id, resource in stack.template.resources.items():
        kind = resource["Type"]
        if kind in STATELESS or not resolver.exists(logical_id):
            continue
        physical = stack.physical.get(logical_id)
        if physical is None:
            drifts.append(Drift(stack.name, logical_id, GONE))
            continue
        if (reader := READERS.get(kind)) is None:
            unchecked.append(f"{logical_id} ({kind})")
            continue
        expected, unknown = _expected(resolver, logical_id, kind)
        unchecked += [f"{logical_id} {one}" for one in unknown]
        try:
            actual = reader(client, physical, expected)
        except NotKnown as why:
            unchecked.append(f"{logical_id} ({why})")
            continue
        except ClientError as refused:
            if not network.gone(refused):
                unchecked.append(f"{logical_id} ({refused})")
                continue
            actual = None
        if actual is None:
            drifts.append(Drift(stack.name, logical_id, GONE))
            continue
        unchecked += [
            f"{logical_id} {name}, which the API does not tell"
            for name in expected
            if name not in actual
        ]
        told = {name: value for name, value in expected.items() if name in actual}
        drifts += [Drift(stack.name, logical_id, one) for one in differences(told, actual)]
    return Findings(drifts, unchecked)


def _expected(resolver: Resolver, logical_id: str, kind: str) -> tuple[dict[str, Any], list[str]]:
    """In the shape in which readers tell it."""
    properties, unknown = resolver.properties(logical_id)
    stack = resolver.stack
    for tags in (
        "Tags",
        "TagSpecifications",
    ):  # CloudFormation's own detection knows which are the stack's
        properties.pop(tags, None)
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
