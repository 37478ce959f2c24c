"""A deployment owns its stacks and their resources, and nothing of a similar name."""

from __future__ import annotations

import pytest

from deployment.ownership import Deployment, parse_tags

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
