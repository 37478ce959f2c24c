"""Requests with the reviewer's credentials, in an emulator that enforces IAM.

Only the table has a user's own password and second factor, whose path MiniStack leaves out of a
user's ARN, and dashboards, whose names MiniStack ignores.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cfn.permissions.emulator import Emulator
from tests.cfn.permissions.evaluators import Identity
from tests.cfn.permissions.reviewer import DEPLOYMENT, NAMES, TRUST

pytestmark = pytest.mark.integration

REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
OTHERS = "somebody-elses"
BUCKET, LOGS = NAMES["ArtifactsBucket"], NAMES["LogGroup"]
ARTIFACTS = {"StackName": f"{DEPLOYMENT}-artifacts"}

CALLS: list[tuple[bool, str, str, dict[str, Any]]] = [
    (True, "cloudformation", "describe_stacks", ARTIFACTS),
    (True, "cloudformation", "describe_stack_events", ARTIFACTS),
    (True, "cloudformation", "get_template", ARTIFACTS),
    (False, "cloudformation", "describe_stacks", {"StackName": OTHERS}),
    (False, "cloudformation", "get_template", {"StackName": OTHERS}),
    (False, "cloudformation", "describe_stacks", {}),
    (False, "cloudformation", "list_stacks", {}),
    (False, "cloudformation", "delete_stack", ARTIFACTS),
    (True, "s3", "list_objects_v2", {"Bucket": BUCKET}),
    (True, "s3", "get_bucket_location", {"Bucket": BUCKET}),
    (False, "s3", "get_object", {"Bucket": BUCKET, "Key": "images/1.tar.gz"}),
    (False, "s3", "put_object", {"Bucket": BUCKET, "Key": "images/1.tar.gz", "Body": b"mine"}),
    (False, "s3", "list_objects_v2", {"Bucket": OTHERS}),
    (False, "s3", "list_buckets", {}),
    (True, "logs", "filter_log_events", {"logGroupName": LOGS}),
    (True, "logs", "describe_log_streams", {"logGroupName": LOGS}),
    (False, "logs", "filter_log_events", {"logGroupName": OTHERS}),
    (False, "logs", "delete_log_group", {"logGroupName": LOGS}),
    (True, "cloudwatch", "list_metrics", {}),
    (False, "cloudwatch", "put_metric_data", {"Namespace": "timeservice", "MetricData": []}),
    (True, "ec2", "describe_instances", {}),
    (True, "ec2", "describe_security_groups", {}),
    (False, "ec2", "describe_launch_template_versions", {"LaunchTemplateName": "any"}),
    (False, "ec2", "create_vpc", {"CidrBlock": "10.0.0.0/16"}),
    (True, "elbv2", "describe_load_balancers", {}),
    (True, "autoscaling", "describe_auto_scaling_groups", {}),
    (False, "autoscaling", "describe_launch_configurations", {}),
    (False, "ssm", "get_parameter", {"Name": "/aws/service/any"}),
    (False, "secretsmanager", "list_secrets", {}),
    (False, "iam", "list_users", {}),
    (False, "iam", "create_access_key", {"UserName": "USER"}),
    (False, "iam", "delete_user_permissions_boundary", {"UserName": "USER"}),
    (False, "sts", "assume_role", {"RoleArn": "ROLE", "RoleSessionName": "more"}),
    (True, "sts", "get_caller_identity", {}),
]


@pytest.fixture(scope="session")
def deployment(emulator: Emulator) -> None:
    """The deployment that the reviewer sees, and similar resources of others."""
    for stack in (ARTIFACTS["StackName"], OTHERS):
        emulator.deploy(stack, "artifacts")
    # Not the stack's bucket: its policy refuses plain HTTP, which is all that the emulator speaks.
    for bucket in (BUCKET, OTHERS):
        emulator.client("s3").create_bucket(Bucket=bucket)
        emulator.client("s3").put_object(Bucket=bucket, Key="images/1.tar.gz", Body=b"image")
    for group in (LOGS, OTHERS):
        emulator.client("logs").create_log_group(logGroupName=group)


def credentials(emulator: Emulator, identity: Identity, external_id: str) -> dict[str, str]:
    """Return an access key, which a real reviewer does not have, or a session's credentials."""
    name = identity.arn.split("/")[-1]
    if ":user/" in identity.arn:
        key: dict[str, str] = emulator.client("iam").create_access_key(UserName=name)["AccessKey"]
        return key
    session: dict[str, str] = emulator.client("sts").assume_role(
        RoleArn=identity.arn, RoleSessionName="review", ExternalId=external_id
    )["Credentials"]
    return session


@pytest.mark.parametrize("kind", ["user", "role"])
@pytest.mark.usefixtures("deployment")
def test_calls_are_answered_or_refused(
    emulator: Emulator, reviewers: dict[str, Identity], kind: str
) -> None:
    key = credentials(emulator, reviewers[kind], TRUST["ExternalId"])
    names = {"USER": reviewers["user"].arn.split("/")[-1], "ROLE": reviewers["role"].arn}
    errors = []
    for allowed, service, operation, arguments in CALLS:
        request = {name: names.get(str(value), value) for name, value in arguments.items()}
        answer = "an answer"
        try:
            getattr(emulator.client(service, key), operation)(**request)
        except ClientError as refused:
            answer = refused.response["Error"]["Code"]
        if answer not in ("an answer", *REFUSED) or (answer not in REFUSED) != allowed:
            errors.append(f"{service} {operation} {request}: {answer}")
    assert errors == []


def test_the_role_is_not_assumed_without_the_external_id(
    emulator: Emulator, reviewers: dict[str, Identity]
) -> None:
    for external_id in ("another", TRUST["ExternalId"].upper()):
        with pytest.raises(ClientError, match="AccessDenied"):
            credentials(emulator, reviewers["role"], external_id)
