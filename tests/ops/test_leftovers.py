"""Leftovers of a deployment are found and removed in order; those of others are neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment import bucket
from deployment.errors import UserError
from deployment.leftovers import Findings, Leftover, find_leftovers
from deployment.ownership import Deployment
from local.api import client_of
from local.down import destroy
from ops import leftovers
from ops.destroy import empty_bucket
from ops.target import Target, get_local_target
from tests.support.deployed import api
from tests.support.templates import TEMPLATES

pytestmark = pytest.mark.integration

OURS = Deployment("timeservice-local")
HALF = "timeservice-local-hosts-0123456789ab"
Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with api(tmp_path_factory.mktemp("leftovers")) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return cache(client_of(url))


def make_tags(deployment: str) -> list[dict[str, str]]:
    return [{"Key": "deployment", "Value": deployment}]


def make_strangers(client: Client) -> set[str]:
    """Make what looks like ours, and is not; return how it differs."""
    ec2, trust = client("ec2"), '{"Statement": []}'
    client("s3").create_bucket(Bucket="timeservice-locally-artifacts-bucket-1a2b")
    client("s3").create_bucket(Bucket="timeservice-local-network-artifacts-bucket-1a2b")
    client("iam").create_role(
        RoleName="timeservice-locally-hosts-HostRole-1A", AssumeRolePolicyDocument=trust
    )
    client("iam").create_role(
        RoleName="timeservice-local-hosts-HostRole-1A",
        AssumeRolePolicyDocument=trust,
        Tags=make_tags("somebody-elses"),
    )
    client("logs").create_log_group(
        logGroupName="/aws/lambda/timeservice-locally-healthcheck-Function-1A"
    )
    template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    for name in (
        "timeservice-local-network-artifacts",
        "timeservice-locally-artifacts",
        "timeservice-local-mine",
    ):
        client("cloudformation").create_stack(StackName=name, TemplateBody=template)
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=make_tags("timeservice-locally"))
    group = ec2.create_security_group(
        VpcId=vpc, GroupName="timeservice-local-network-X-1A", Description="x"
    )
    ec2.create_tags(Resources=[group["GroupId"]], Tags=make_tags("timeservice-locally"))
    return {
        vpc,
        group["GroupId"],
        "locally",
        "local-network-artifacts",
        "local-hosts-HostRole",
        "local-mine",
    }


def make_orphans(client: Client) -> set[tuple[str, str]]:
    """Create resources that no stack has: of a person, of AWS, of a stopped release. Return them by
    kind."""
    ec2 = client("ec2")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "tag:deployment", "Values": [OURS.name]}])["Vpcs"]
    group = ec2.create_security_group(VpcId=vpc["VpcId"], GroupName="by-hand", Description="x")[
        "GroupId"
    ]
    volume = ec2.create_volume(Size=8, AvailabilityZone="us-east-1a")["VolumeId"]
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "Name", "Value": HALF}])
    log = "/aws/lambda/timeservice-local-healthcheck-Function-1A2B"
    client("logs").create_log_group(logGroupName=log)
    alarm = f"TargetTracking-{HALF}-HostGroup-1A-AlarmHigh-0a-1b"
    client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        MetricName="x",
        Namespace="x",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        Statistic="Sum",
    )
    queue = client("sqs").create_queue(QueueName="q", tags={"deployment": OURS.name})["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])[
        "Attributes"
    ]["QueueArn"]
    return {
        ("ec2:security-group", group),
        ("ec2:volume", volume),
        ("logs:log-group", log),
        ("cloudwatch:alarm", alarm),
        ("sqs", arn),
    }


def fill_bucket(client: Client) -> None:
    """Put into the deployment's bucket what CloudFormation would not delete."""
    s3 = client("s3")
    found = client("cloudformation").describe_stack_resources(StackName=f"{OURS.name}-artifacts")
    (stack,) = (
        resource
        for resource in found["StackResources"]
        if resource["LogicalResourceId"] == "Bucket"
    )
    name = str(stack["PhysicalResourceId"])
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"old", b"new"):
        s3.put_object(Bucket=name, Key="by/hand", Body=content)
    s3.delete_object(Bucket=name, Key="by/hand")
    s3.create_multipart_upload(Bucket=name, Key="half")


def start_a_release(client: Client) -> None:
    """Start a release that is cut off while its hosts boot."""
    cloudformation = client("cloudformation")
    (old,) = (
        stack
        for stack in cloudformation.describe_stacks()["Stacks"]
        if f"{OURS.name}-hosts-" in stack["StackName"]
    )
    cloudformation.create_stack(
        StackName=HALF,
        TemplateBody=TEMPLATES["hosts"].body,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[item for item in old["Parameters"] if item["ParameterKey"] != "ImageId"],
        Tags=make_tags(OURS.name),
    )
    while not cloudformation.describe_stack_resources(StackName=HALF)["StackResources"]:
        pass


def test_all_of_a_deployment_is_found_and_removed_and_nothing_of_another(
    client: Client, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign, where = make_strangers(client), get_local_target(url)
    deployed = find_leftovers(client, OURS.name)
    assert deployed.refusals == []
    types = Counter(resource.type for resource in deployed.leftovers)
    assert types["cloudformation:stack"] == 6
    assert types["ec2:subnet"] == 4
    assert types["ec2:security-group"] == 2
    assert types["iam:role"] == 2
    assert set(types) >= {
        *("autoscaling:autoScalingGroup", "ec2:launch-template", "lambda:function", "events:rule"),
        *("elasticloadbalancing:loadbalancer", "elasticloadbalancing:targetgroup", "sns:topic"),
        *("cloudwatch:alarm", "cloudwatch:dashboard", "logs:log-group", "s3:bucket", "ec2:vpc"),
        *("ec2:vpc-endpoint", "ec2:route-table", "ec2:internet-gateway", "iam:instance-profile"),
        *("iam:user", "iam:policy"),
    }
    for resource in deployed.leftovers:
        if resource.type != "cloudformation:stack":
            assert resource.remove.startswith("goes with the stack timeservice-local-")
    with pytest.raises(UserError, match=r"is still deployed .* run make destroy again"):
        empty_bucket(where)

    left = make_orphans(client)
    fill_bucket(client)
    start_a_release(client)
    found = find_leftovers(client, OURS.name).leftovers
    assert left <= {(resource.type, resource.id) for resource in found}
    assert not [resource for resource in found if any(word in resource.id for word in foreign)]

    # A resource made by hand blocks the deletion of its stack, and is listed. Without it, all is
    # deleted.
    capsys.readouterr()
    hosts_gone: list[list[str]] = []
    with pytest.raises(UserError, match=r"timeservice-local-network cannot be deleted: .*\[Vpc\]"):
        destroy(client, OURS, lambda: hosts_gone.append(list_stacks(client)))
    found = find_leftovers(client, OURS.name).leftovers
    (way,) = (resource for resource in found if resource.type == "ec2:security-group")
    assert way.remove == f"aws ec2 delete-security-group --group-id {way.id}"
    assert way.reason.startswith("it is in the VPC vpc-")
    client("ec2").delete_security_group(GroupId=way.id)
    destroy(client, OURS, lambda: None)
    order = [line.split()[1].split("-")[2] for line in capsys.readouterr().out.splitlines()]
    assert order == [
        "hosts",
        "hosts",
        "reviewer",
        "healthcheck",
        "balancer",
        "network",
        "network",
        "artifacts",
    ]
    assert [[name.split("-")[2] for name in names] for names in hosts_gone] == [
        ["artifacts", "network", "balancer", "healthcheck", "reviewer"]
    ]

    after = find_leftovers(client, OURS.name).leftovers
    assert {(resource.type, resource.id) for resource in after} == left - {
        ("ec2:security-group", way.id)
    }
    assert empty_bucket(where) == "Nothing to do: there is no stack timeservice-local-artifacts."
    assert len(client("cloudformation").describe_stacks()["Stacks"]) == 3
    assert {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]} == {
        "timeservice-locally-artifacts-bucket-1a2b",
        "timeservice-local-network-artifacts-bucket-1a2b",
    }


def list_stacks(client: Client) -> list[str]:
    found = client("cloudformation").describe_stacks()["Stacks"]
    return [stack["StackName"] for stack in found if OURS.owns_stack(stack["StackName"])]


ARTIFACTS = "timeservice-prod-artifacts"


def get_prod(client: Client) -> Target:
    return Target("timeservice-prod", "us-east-1", client)


def test_the_bucket_that_is_emptied_is_the_artifacts_stack_s_own(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudformation, s3, body = client("cloudformation"), client("s3"), TEMPLATES["artifacts"].body
    cloudformation.create_stack(StackName=ARTIFACTS, TemplateBody=body, Tags=make_tags("another"))
    with pytest.raises(UserError, match="has another deployment's tag"):
        empty_bucket(get_prod(client))
    cloudformation.delete_stack(StackName=ARTIFACTS)
    wait_while(client, "DELETE_IN_PROGRESS")
    cloudformation.create_stack(
        StackName=ARTIFACTS, TemplateBody=body, Tags=make_tags("timeservice-prod")
    )
    wait_while(client, "CREATE_IN_PROGRESS")
    (mine,) = (
        item["Name"] for item in s3.list_buckets()["Buckets"] if item["Name"].startswith(ARTIFACTS)
    )
    s3.create_bucket(Bucket="timeservice-prod-artifacts-bucket-of-somebody")
    s3.put_object(Bucket="timeservice-prod-artifacts-bucket-of-somebody", Key="x", Body=b"")
    monkeypatch.setattr(bucket, "BATCH", 2)
    s3.put_bucket_versioning(Bucket=mine, VersioningConfiguration={"Status": "Enabled"})
    for number in range(5):
        s3.put_object(Bucket=mine, Key=f"images/{number % 3}", Body=b"")
    s3.delete_object(Bucket=mine, Key="images/0")
    s3.create_multipart_upload(Bucket=mine, Key="half")
    assert empty_bucket(get_prod(client)) == f"{mine}: 7 deleted."
    assert bucket.list_objects(s3, mine) == bucket.list_uploads(s3, mine) == []
    assert len(bucket.list_objects(s3, "timeservice-prod-artifacts-bucket-of-somebody")) == 1


def wait_while(client: Client, status: str) -> None:
    while [
        stack
        for stack in client("cloudformation").describe_stacks()["Stacks"]
        if stack["StackStatus"] == status
    ]:
        pass


def test_a_list_that_is_refused_is_reported_and_hides_no_other(client: Client) -> None:
    class Refusing:
        def can_paginate(self, operation: str) -> bool:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, operation)

    def connect_without_iam(service: str) -> Any:
        return Refusing() if service == "iam" else client(service)

    found = find_leftovers(connect_without_iam, "timeservice-nothing")
    assert found.leftovers == []
    types = [refusal.partition(": ")[0] for refusal in found.refusals]
    assert types == ["iam:instance-profile", "iam:role", "iam:user", "iam:policy"]


A_BUCKET = Leftover(
    "s3:bucket", "b", "its name is made from a stack's", "aws s3api delete-bucket --bucket b"
)


@pytest.mark.parametrize(
    ("findings", "status", "words"),
    [
        (Findings([], []), 0, ["Nothing is left."]),
        (
            Findings([A_BUCKET], []),
            1,
            ["s3:bucket b: its name", "aws --region eu-west-1 s3api delete-bucket --bucket b"],
        ),
        (
            Findings([], ["iam:role: denied"]),
            3,
            ["cannot list iam:role: denied", "not everything could be listed"],
        ),
        (
            Findings([A_BUCKET], ["iam:role: denied"]),
            1,
            ["s3:bucket b", "cannot list iam:role: denied"],
        ),
    ],
)
def test_the_exit_code_says_whether_something_is_left(
    findings: Findings,
    status: int,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        leftovers, "get_target", lambda _: Target("timeservice-prod", "eu-west-1", print)
    )
    monkeypatch.setattr(leftovers, "find_leftovers", lambda *_: findings)
    assert leftovers.main(["--stack", "prod"]) == status
    output = capsys.readouterr()
    for word in words:
        assert word in output.out + output.err


def test_without_a_response_of_aws_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = Target("timeservice-prod", "eu-west-1", client_of("http://127.0.0.1:9"))
    monkeypatch.setattr(leftovers, "get_target", lambda _: nobody)
    assert leftovers.main(["--stack", "prod"]) == 3
    error = capsys.readouterr().err
    assert "requests to AWS fail: Could not connect" in error
    assert "test them: aws sts get-caller-identity" in error


@pytest.mark.parametrize(
    ("lines", "code", "output"),
    [
        ([], 0, "Nothing is left.\n"),
        (
            ["  volume x-run: so\n      make down"],
            1,
            "Left of 'x':\n  volume x-run: so\n      make down\n",
        ),
    ],
)
def test_what_is_left_on_this_machine_decides_the_exit_code(
    lines: list[str],
    code: int,
    output: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cloud = SimpleNamespace(get_running=lambda _: None)
    monkeypatch.setattr(leftovers, "Containers", lambda _: cloud)
    monkeypatch.setattr(leftovers, "list_leftovers", lambda _: lines)
    assert leftovers.main(["--stack", "local", "--name", "x"]) == code
    assert capsys.readouterr().out == output
