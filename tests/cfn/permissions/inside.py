"""The identities that deploy and that run, made by an emulator from the templates."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.cfn.permissions.emulator import ACCOUNT, REGION, Emulator
from tests.cfn.permissions.evaluators import Identity, Policy, Question
from tests.cfn.permissions.signals import hosts_signal

DEPLOYMENT = "timeservice-demo"
RELEASE = "0123456789ab"
BUCKET = f"{DEPLOYMENT}-artifacts-bucket-1"
ELB = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}"
HOSTS = {
    "PrivateSubnets": "subnet-1,subnet-2",
    "HostSecurityGroup": "sg-1",
    "TargetGroup": f"{ELB}:targetgroup/a/0123456789abcdef",
    "LoadBalancer": "app/a/0123456789abcdef",
    "ArtifactsBucket": BUCKET,
    "Release": RELEASE,
    "ImageKey": f"images/{RELEASE}.tar.gz",
}
HEALTHCHECK = {
    "Url": "http://example.org",
    "LoadBalancer": HOSTS["LoadBalancer"],
    "TargetGroup": HOSTS["TargetGroup"],
    "Alarms": (
        f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{DEPLOYMENT}-balancer-UnhealthyHostsAlarm-1"
    ),
    "AlertTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{DEPLOYMENT}-balancer-AlertTopic-1",
    "ArtifactsBucket": BUCKET,
    "PackageKey": f"healthcheck/{RELEASE}.zip",
}


def make(emulator: Emulator) -> tuple[dict[str, Identity], str]:
    """The three identities, by the names of their tables, and the boundary's ARN."""
    outputs = emulator.deploy("deployer", "deployer", Deployment=DEPLOYMENT)
    boundary = outputs["Boundary"]
    with hosts_signal(emulator):
        hosts = f"{DEPLOYMENT}-hosts-{RELEASE}"
        emulator.deploy(hosts, "hosts", **HOSTS, PermissionsBoundary=boundary)
    emulator.client("s3").create_bucket(Bucket=BUCKET)
    emulator.client("s3").put_object(Bucket=BUCKET, Key=HEALTHCHECK["PackageKey"], Body=_package())
    healthcheck = f"{DEPLOYMENT}-healthcheck"
    emulator.deploy(healthcheck, "healthcheck", **HEALTHCHECK, PermissionsBoundary=boundary)
    function = _bound_role(emulator, healthcheck, "FunctionRole", boundary)
    return {
        "deployer": _deployer(emulator, outputs["Policies"]),
        "hosts": _bound_role(emulator, hosts, "HostRole", boundary),
        "function": function._replace(policies=[*map(_with_aws_name, function.policies)]),
    }, boundary


def _with_aws_name(policy: Policy) -> Policy:
    """Replace MiniStack's name of the log group by one that CloudFormation would give."""
    name = f"{DEPLOYMENT}-healthcheck"
    text = json.dumps(policy)
    assert f"/aws/cloudformation/{name}/LogGroup" in text
    renamed: Policy = json.loads(
        text.replace(f"/aws/cloudformation/{name}/LogGroup", f"{name}-LogGroup-1")
    )
    return renamed


def _package() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("healthcheck/handler.py", "def handler(event, context): return 'OK'\n")
    return content.getvalue()


def _deployer(emulator: Emulator, policies: str) -> Identity:
    iam = emulator.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=document)["Role"]
    for policy in policies.split(","):
        iam.attach_role_policy(RoleName="deployer", PolicyArn=policy)
    return emulator.identity(role["Arn"])


def _bound_role(emulator: Emulator, stack: str, logical_id: str, boundary: str) -> Identity:
    """Return the role of a stack, with its boundary, which MiniStack's CloudFormation ignores."""
    resource = emulator.client("cloudformation").describe_stack_resource(
        StackName=stack, LogicalResourceId=logical_id
    )
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    iam = emulator.client("iam")
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    return emulator.identity(f"arn:aws:iam::{ACCOUNT}:role/{name}")


def table(name: str, boundary: str) -> list[tuple[bool, Question]]:
    """Return the rows of NAME.csv: whether the request is allowed, and the request."""
    with (Path(__file__).parent / f"{name}.csv").open() as file:
        return [(row["allowed"] == "yes", _question(row, boundary)) for row in csv.DictReader(file)]


def _question(row: Mapping[str, str], boundary: str) -> Question:
    pairs = [pair.split("=", 1) for pair in row["context"].split(";") if pair]
    context = {key: boundary if value == "BOUNDARY" else value for key, value in pairs}
    usual = {"aws:RequestedRegion": REGION, "aws:ResourceAccount": ACCOUNT}
    whole = {"*": "*", "BOUNDARY": boundary}
    resource = whole.get(row["resource"], f"arn:aws:{row['resource']}")
    return Question(row["action"], resource, usual | context)


def format_question(question: Question) -> str:
    return " ".join([question.action, question.resource, *map(str, question.context.items())])
