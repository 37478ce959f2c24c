"""What IAM's conditions see of a request to the local API."""

from __future__ import annotations

import html
import json
import re

import pytest
from ministack import app
from ministack.core import iam_actions, persistence
from ministack.services import cloudformation, ec2, ssm

from local.cloud import api
from local.cloud.api import IMAGES, enforce, get_context


@pytest.mark.parametrize(
    ("service", "action", "body", "expected"),
    [
        ("monitoring", "cloudwatch:PutMetricData", {"Namespace": "timeservice"}, "timeservice"),
        ("monitoring", "cloudwatch:PutMetricData", {"Namespace": "AWS/EC2"}, "AWS/EC2"),
        ("monitoring", "cloudwatch:PutMetricData", {}, ""),
        ("monitoring", "cloudwatch:GetMetricData", {"Namespace": "timeservice"}, None),
    ],
)
def test_the_namespace_of_metrics(
    service: str, action: str, body: dict[str, str], expected: str | None
) -> None:
    context = get_context(service, action, json.dumps(body).encode(), {})
    assert context.get("cloudwatch:namespace") == expected


def test_what_is_not_json_has_none_and_is_refused() -> None:
    context = get_context("monitoring", "cloudwatch:PutMetricData", b"Action=x", {})
    assert "cloudwatch:namespace" not in context


def test_what_the_emulator_knew_before_it_still_knows() -> None:
    body = json.dumps({"Name": "x", "Tags": [{"Key": "a", "Value": "b"}]}).encode()
    context = get_context("events", "events:PutRule", body, {})
    assert context["aws:requesttag/a"] == "b"


def test_a_vpc_endpoint_has_its_policy_as_on_aws() -> None:
    policy = {"Statement": [{"Effect": "Allow", "Resource": "arn:aws:s3:::a&b/*"}]}
    endpoint = {
        **dict.fromkeys(("VpcEndpointType", "VpcId", "ServiceName", "State", "OwnerId"), "x"),
        "VpcEndpointId": "vpce-1",
        "PolicyDocument": policy,
    }
    described = api.describe_endpoint(endpoint)
    (field,) = re.findall(r"<policyDocument>(.*)</policyDocument></item>$", described)
    assert json.loads(html.unescape(field)) == policy
    assert described.startswith("<item>")


def test_it_has_the_machine_images_of_both_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iam_actions, "request_tag_context", iam_actions.request_tag_context)
    monkeypatch.setattr(ec2, "_vpce_fields_xml", ec2._vpce_fields_xml)
    enforce()
    assert ssm._public_parameter(f"{IMAGES}arm64")["Value"]
    assert ssm._public_parameter(f"{IMAGES}x86_64")["Value"]


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what the API saves. Nothing has changed it yet."""
    saved: list[object] = []
    monkeypatch.setattr(persistence, "save_all", saved.append)
    monkeypatch.setattr(app, "_build_persistence_save_dict", lambda: "state")
    api._changed.clear()
    return saved


@pytest.mark.parametrize(
    ("action", "is_saved"),
    [
        ("cloudformation:CreateStack", True),
        ("s3:PutObject", True),
        ("elasticloadbalancing:DescribeRules", False),
        ("s3:ListBucket", False),
        ("s3:GetObject", False),
    ],
)
def test_the_state_is_saved_once_after_each_change(
    saved: list[object], action: str, is_saved: bool
) -> None:
    get_context("any", action, b"", {})
    api.save_changes()
    api.save_changes()
    assert saved == ["state"] * is_saved


def test_the_state_is_saved_when_no_stack_is_in_progress(
    saved: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process would wait forever for a stack that nothing continues."""
    stack = {"StackStatus": "UPDATE_IN_PROGRESS"}
    monkeypatch.setitem(cloudformation._stacks._data, ("1", "us-east-1", "x"), stack)
    get_context("cloudformation", "cloudformation:UpdateStack", b"", {})
    api.save_changes()
    assert saved == []
    # A stack in review changes only when somebody executes its change set.
    for number, status in enumerate(["UPDATE_COMPLETE", "REVIEW_IN_PROGRESS"], start=1):
        stack["StackStatus"] = status
        get_context("cloudformation", "cloudformation:UpdateStack", b"", {})
        api.save_changes()
        assert saved == ["state"] * number
