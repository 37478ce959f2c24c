"""A deployment owns its stacks and their resources, and nothing of a similar name."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from deployment.ownership import Deployment, find_stack, is_busy, outputs_of, parse_tags
from local.api import client

PROD = Deployment("timeservice-prod")
RELEASE = "0123456789ab"


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("timeservice-prod-artifacts", True),
        ("timeservice-prod-healthcheck", True),
        (f"timeservice-prod-hosts-{RELEASE}", True),
        ("timeservice-prod-reviewer-user", True),
        ("timeservice-prod-reviewer-role", True),
        ("timeservice-prod-reviewer-mine", False),
        ("timeservice-prod", False),
        ("timeservice-prod-hosts-2", False),
        ("timeservice-prod-hosts-0123456789AB", False),
        (f"timeservice-prod-network-{RELEASE}", False),
        ("timeservice-production-artifacts", False),
        ("timeservice-prod2-artifacts", False),
        ("my-timeservice-prod-artifacts", False),
        ("timeservice-prod-database", False),
        # Stacks of deployments whose names begin like this one's.
        ("timeservice-prod-network-artifacts", False),
        ("timeservice-prod-hosts-artifacts", False),
        (f"timeservice-prod-network-hosts-{RELEASE}", False),
    ],
)
def test_stacks(name: str, owned: bool) -> None:
    assert PROD.owns_stack(name) is owned


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("timeservice-prod-artifacts-bucket-1a2b3c4d5e6f", True),
        ("timeservice-prod-healthcheck-FunctionRole-1A2B3C4D5E6F", True),
        ("timeservice-prod-network-HostSecurityGroup", True),
        ("timeservice-prod-reviewer-user-User-1A2B3C4D5E6F", True),
        ("timeservice-prod-reviewer-role-Role-1A2B3C4D5E6F", True),
        (f"timeservice-prod-hosts-{RELEASE}-HostGroup-1A2B", True),
        (
            f"TargetTracking-timeservice-prod-hosts-{RELEASE}-HostGroup-1A2B-AlarmHigh-0a-1b-2c",
            True,
        ),
        ("/aws/lambda/timeservice-prod-healthcheck-Function-1A2B", True),
        ("/aws/lambda/timeservice-production-healthcheck-Function-1A2B", False),
        ("TargetTracking-timeservice-production-hosts-HostGroup-1A2B-AlarmHigh-0a", False),
        ("timeservice-production-artifacts-bucket-1a2b3c4d5e6f", False),
        ("timeservice-prod-artifacts-bucket-of-somebody", False),
        ("timeservice-prod-backups", False),
        ("timeservice-prod-network-artifacts-bucket-1a2b3c4d5e6f", False),
        ("timeservice-prod-network-healthcheck-FunctionRole-1A2B", False),
        ("timeservice-prod-network-artifacts", False),
        ("", False),
    ],
)
def test_names_that_cloudformation_makes(name: str, owned: bool) -> None:
    assert PROD.owns_name(name) is owned


@pytest.mark.parametrize(
    ("name", "tags", "reason"),
    [
        ("vpc-1", {"deployment": "timeservice-prod"}, "its tag deployment is timeservice-prod"),
        ("vpc-1", {"deployment": "timeservice-production"}, ""),
        ("vpc-1", {"Name": "timeservice-prod-network"}, "its tag Name is timeservice-prod-network"),
        ("vpc-1", {"Name": "timeservice-prod"}, ""),
        ("vpc-1", {"project": "timeservice"}, ""),
        ("vpc-1", {}, ""),
        (
            "vpc-1",
            {"aws:cloudformation:stack-name": "timeservice-prod-network"},
            "its stack was timeservice-prod-network",
        ),
        (
            "i-1",
            {"aws:autoscaling:groupName": f"timeservice-prod-hosts-{RELEASE}-HostGroup-1A"},
            f"the group timeservice-prod-hosts-{RELEASE}-HostGroup-1A launched it",
        ),
        ("timeservice-prod-artifacts", {}, "its name is made from a stack's"),
        # The name is ours, and the tag names another owner.
        ("timeservice-prod-artifacts", {"deployment": "somebody-elses"}, ""),
        ("timeservice-prod-artifacts", {"aws:cloudformation:stack-name": "another"}, ""),
    ],
)
def test_tags_say_more_than_names(name: str, tags: dict[str, str], reason: str) -> None:
    assert PROD.reason(name, tags) == reason


def test_tags_are_read_from_a_list_and_from_none() -> None:
    assert parse_tags([{"Key": "deployment", "Value": "prod"}]) == {"deployment": "prod"}
    assert parse_tags(None) == {}


def test_outputs_are_read_from_a_list_and_from_none() -> None:
    outputs = [{"OutputKey": "Url", "OutputValue": "http://10.0.0.1"}]
    assert outputs_of({"Outputs": outputs}) == {"Url": "http://10.0.0.1"}
    assert outputs_of({}) == {}


@pytest.mark.parametrize(
    ("status", "busy"),
    [
        ("CREATE_IN_PROGRESS", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("UPDATE_COMPLETE", False),
        ("DELETE_FAILED", False),
        # A change set that was never executed.
        ("REVIEW_IN_PROGRESS", False),
    ],
)
def test_a_stack_that_cloudformation_is_changing_is_busy(status: str, busy: bool) -> None:
    assert is_busy({"StackStatus": status}) is busy


@pytest.fixture
def cloudformation() -> Stubber:
    stubber = Stubber(client("http://nowhere.invalid", "cloudformation"))
    stubber.activate()
    return stubber


@pytest.mark.parametrize(
    ("status", "found"), [("UPDATE_COMPLETE", True), ("DELETE_COMPLETE", False)]
)
def test_a_stack_is_found_until_it_is_deleted(
    status: str, found: bool, cloudformation: Stubber
) -> None:
    stack: dict[str, Any] = {
        "StackName": "s",
        "CreationTime": "2026-11-28T12:00:00Z",
        "StackStatus": status,
    }
    cloudformation.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "s"})
    assert find_stack(cloudformation.client, "s") == (stack if found else {})


def test_a_stack_that_never_was_is_not_found(cloudformation: Stubber) -> None:
    message = "Stack with id s does not exist"
    cloudformation.add_client_error("describe_stacks", "ValidationError", message)
    assert find_stack(cloudformation.client, "s") == {}


def test_a_stack_that_may_not_be_read_is_not_taken_for_deleted(cloudformation: Stubber) -> None:
    cloudformation.add_client_error("describe_stacks", "AccessDenied", "not you")
    with pytest.raises(ClientError, match="not you"):
        find_stack(cloudformation.client, "s")
