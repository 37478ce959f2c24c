"""The program as the deployer: it passes with cfn/deployer.yaml's policies, and fails without each
thing that it calls.

The tests use an emulator of their own, without hosts, so that each deployment takes a second. It
checks what the balancer's service and Auto Scaling call in the deployer's name
(local/cloud/api.py). No emulator checks what CloudFormation itself calls:
tests/cfn/permissions/test_deployer.py compares that with AWS's own lists.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

import deployment.release
from deployment.errors import UserError
from deployment.ownership import Deployment
from deployment.preflight import OK, UNKNOWN, Preflight
from deployment.release import Archive
from local import program, stacks
from local.api import REFUSALS, REGION, Credentials, client
from local.deployer import DEPLOYER, Deployer, assume_deployer
from local.project import DEPLOYMENT
from ops.destroy import empty_bucket
from ops.target import Target
from tests.cfn.permissions.emulator import Emulator
from tests.cfn.permissions.signals import hosts_signal
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.rehearsal
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def deployer(emulator: Emulator) -> tuple[Credentials, str]:
    """The deployer of an empty account."""
    requests.post(f"{emulator.url}/_ministack/reset", timeout=PATIENCE).raise_for_status()
    return assume_deployer(emulator.url)


@pytest.fixture
def deploy(
    emulator: Emulator,
    deployer: tuple[Credentials, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run the program; `image` is the digest of the service's sources, and makes the release."""
    with zipfile.ZipFile(tmp_path / "package", "w") as package:
        package.writestr("healthcheck/handler.py", "def handler(event, context): return 'OK'\n")
    (tmp_path / "image").write_bytes(b"an image")

    def deploy(image: str = "1" * 12, status: str = "SUCCESS") -> dict[str, Any]:
        archives = {
            "image-x86_64": Archive(tmp_path / "image", image),
            "package": Archive(tmp_path / "package", "2" * 12),
        }
        monkeypatch.setattr(deployment.release, "archive", archives.__getitem__)
        with hosts_signal(emulator, status):
            credentials, boundary = deployer
            settings = {"permissionsBoundary": boundary}
            return program.run(Deployer(emulator.url, None, credentials), settings)

    return deploy


def test_the_deployer_deploys_and_releases(deploy: Run) -> None:
    first = deploy()
    assert first == deploy()
    assert first["release"] != deploy("3" * 12)["release"]


def without(emulator: Emulator, action: str) -> None:
    """Deny the deployer one action that its policies allow."""
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    emulator.client("iam").put_role_policy(
        RoleName=DEPLOYER,
        PolicyName="without",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


@pytest.mark.parametrize(
    "action",
    [
        "cloudformation:CreateStack",
        "cloudformation:DescribeStacks",
        "ec2:DescribePrefixLists",
        "ec2:GetSecurityGroupsForVpc",  # called by the balancer's service
        "ec2:RunInstances",  # called by Auto Scaling
        "s3:ListBucket",
        "s3:PutObject",
        "ssm:GetParameter",
    ],
)
def test_nothing_is_deployed_without(emulator: Emulator, deploy: Run, action: str) -> None:
    without(emulator, action)
    with pytest.raises((UserError, *REFUSALS), match=f"not authorized to perform: {action} "):
        deploy()


@pytest.mark.parametrize(
    "action", ["cloudformation:UpdateStack", "cloudformation:DeleteStack", "s3:DeleteObject"]
)
def test_nothing_is_released_without(emulator: Emulator, deploy: Run, action: str) -> None:
    deploy()
    without(emulator, action)
    with pytest.raises(REFUSALS, match=f"not authorized to perform: {action} "):
        deploy("3" * 12)


def test_a_failure_is_not_explained_without(emulator: Emulator, deploy: Run) -> None:
    without(emulator, action := "cloudformation:DescribeStackEvents")
    with pytest.raises(REFUSALS, match=f"not authorized to perform: {action} "):
        deploy(status="FAILURE")


@pytest.mark.parametrize(
    ("policy", "sid", "action"),
    [
        ("Program", "Stacks", "cloudformation:"),
        ("Program", "Bucket", "s3:"),
        ("Program", "MachineImage", "ssm:GetParameter"),
        ("Program", "LookUp", "ec2:DescribePrefixLists"),
        ("Network", "LookAtNetwork", "ec2:DescribeAccountAttributes"),
        ("Servers", "LaunchFrom", "ec2:RunInstances"),
    ],
)
def test_nothing_is_deployed_without_the_statement(
    emulator: Emulator, deploy: Run, policy: str, sid: str, action: str
) -> None:
    iam = emulator.client("iam")
    attached = iam.list_attached_role_policies(RoleName=DEPLOYER)["AttachedPolicies"]
    (arn,) = (
        attachment["PolicyArn"]
        for attachment in attached
        if f"-{policy}-" in attachment["PolicyName"]
    )
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    document["Statement"] = [
        statement for statement in document["Statement"] if statement["Sid"] != sid
    ]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
    with pytest.raises((UserError, *REFUSALS), match=f"not authorized to perform: {action}"):
        deploy()


@pytest.mark.parametrize(
    "action",
    [
        "",
        "cloudformation:DescribeStackResources",
        "s3:DeleteObject",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
    ],
)
def test_the_bucket_is_emptied_with_the_deployer_s_key_and_not_without(
    emulator: Emulator, deploy: Run, deployer: tuple[Credentials, str], action: str
) -> None:
    deploy()
    root = emulator.client("cloudformation")
    names = [stack["StackName"] for stack in Deployment(DEPLOYMENT).list_stacks(root)]
    target = Target(DEPLOYMENT, REGION, lambda name: client(emulator.url, name, deployer[0]))
    with pytest.raises(UserError, match=r"is still deployed .*network"):
        empty_bucket(target)
    for name in names:
        if not name.endswith("-artifacts"):
            stacks.delete(root, name)
    if action:
        without(emulator, action)
        with pytest.raises((UserError, *REFUSALS), match=r"AccessDenied|not authorized"):
            empty_bucket(target)
    else:
        assert empty_bucket(target).endswith(": 2 deleted.")


def test_preflight_asks_nothing_that_the_deployer_may_not(
    emulator: Emulator, deployer: tuple[Credentials, str]
) -> None:
    """Exceptions are what MiniStack lacks, and the simulation, which a role may not ask for."""
    credentials, boundary = deployer
    settings = program.load_settings({"permissionsBoundary": boundary}, "")

    def connect(service: str, **_: str) -> Any:
        return client(emulator.url, service, credentials)

    results = Preflight(connect, REGION, DEPLOYMENT, settings).run()
    texts = {result.subject: result.text for result in results}
    states = {result.subject: result.state for result in results}
    assert (states["machine image"], states["service-linked roles"]) == (OK, OK)
    assert texts["service-linked roles"].startswith("pulumi up makes those of: ")
    assert (states["boundary"], texts["boundary"]) == (OK, boundary)
    assert "not authorized" not in texts["zones"] + texts["vCPU quota"]
    assert (states["permissions"], "AccessDenied" in texts["permissions"]) == (UNKNOWN, True)
