"""What the local API tells IAM's conditions of a request."""

from __future__ import annotations

import json

import pytest
from ministack.core import iam_actions
from ministack.services import ssm

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


def test_it_has_the_machine_images_of_both_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iam_actions, "request_tag_context", iam_actions.request_tag_context)
    enforce()
    assert ssm._public_parameter(f"{IMAGES}arm64")["Value"]
    assert ssm._public_parameter(f"{IMAGES}x86_64")["Value"]
