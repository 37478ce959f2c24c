"""A reviewer is added and removed, and the service does not notice."""

from __future__ import annotations

import json

import docker
import pytest

from drills.clone import Clone
from local.project import DEPLOYMENT
from tests.rehearsal.cloud import aws, release, stacks

pytestmark = pytest.mark.rehearsal
ON = {"CONFIG": "reviewer=user"}


def test_a_reviewer_is_let_in_and_its_password_told_on_request_alone(
    clone: Clone, engine: docker.DockerClient
) -> None:
    before = release(clone)
    done = clone.make("up", **ON)
    assert done.status == 0
    assert release(clone) == before
    assert stacks(engine)["reviewer-user"] == "CREATE_COMPLETE"
    told = json.loads(clone.make("reviewer").output)
    assert told["password"] not in done.output
    profile = aws(engine, "iam").get_login_profile(UserName=told["user"])["LoginProfile"]
    assert profile["PasswordResetRequired"] is True
    assert "make reviewer" in done.output
    again = clone.make("up")
    assert "reviewer=user is in effect" in again.output.replace('"', "")
    assert "Nothing changed" in again.output
    assert json.loads(clone.make("reviewer").output) == told


def test_its_policy_names_what_is_deployed(clone: Clone, engine: docker.DockerClient) -> None:
    iam = aws(engine, "iam")
    (policy,) = iam.list_attached_user_policies(
        UserName=json.loads(clone.make("reviewer").output)["user"]
    )["AttachedPolicies"]
    document = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId="v1")
    named = {
        statement["Sid"]: statement["Resource"]
        for statement in document["PolicyVersion"]["Document"]["Statement"]
    }
    cloudformation = aws(engine, "cloudformation").describe_stacks()["Stacks"]
    assert {arn.removesuffix("/*") for arn in named["Stacks"]} == {
        stack["StackId"].rsplit("/", 1)[0]
        for stack in cloudformation
        if stack["StackName"].startswith(f"{DEPLOYMENT}-")
    }
    ends = {
        function["FunctionName"] for function in aws(engine, "lambda").list_functions()["Functions"]
    }
    assert {named["Function"].split(":")[-1]} == ends
    (bucket,) = aws(engine, "s3").list_buckets()["Buckets"]
    assert named["Bucket"] == f"arn:aws:s3:::{bucket['Name']}"
    (dashboard,) = aws(engine, "cloudwatch").list_dashboards()["DashboardEntries"]
    assert named["Dashboard"].split("/")[-1] == dashboard["DashboardName"]
    (group,) = aws(engine, "logs").describe_log_groups()["logGroups"]
    assert named["Logs"][0].endswith(f":log-group:{group['logGroupName']}")
    alarms = aws(engine, "cloudwatch").describe_alarms()["MetricAlarms"]
    patterns = [pattern.rstrip("*").split("*") for pattern in named["Alarms"]]
    for alarm in alarms:
        assert any(
            alarm["AlarmArn"].startswith(start) and all(end in alarm["AlarmArn"] for end in ends)
            for start, *ends in patterns
        ), alarm["AlarmArn"]


def test_a_reviewer_goes_without_a_trace(clone: Clone, engine: docker.DockerClient) -> None:
    done = clone.make("up", CONFIG="reviewer=")
    assert done.status == 0
    assert "reviewer-user" not in stacks(engine)
    iam = aws(engine, "iam")
    assert iam.list_users()["Users"] == []
    left = [policy["PolicyName"] for policy in iam.list_policies(Scope="Local")["Policies"]]
    assert [name for name in left if not name.startswith("deployer-")] == []
    gone = clone.make("reviewer")
    assert gone.status != 0
    assert "there is no reviewer" in gone.output
