"""A stack that differs from this clone is found: its template, its parameters, or a resource
changed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from deployment.errors import UserError
from deployment.template import Template
from local.api import client
from ops import drift
from ops.drift import NOTHING, Difference
from ops.target import Target, get_local_target
from tests.support.deployed import api
from tests.support.templates import TEMPLATES

REVIEWER = {"reviewer": "user"}  # the settings of the deployment
PROD = "timeservice-prod"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with api(tmp_path_factory.mktemp("drift")) as url:
        yield url


@pytest.mark.integration
def test_a_deployment_as_it_was_made_has_no_drift_until_a_stack_is_changed_or_deleted(
    url: str,
) -> None:
    where = get_local_target(url)
    cloudformation, logs = where.client("cloudformation"), where.client("logs")
    assert drift.find_drift(where, "local", REVIEWER) == ([], [])

    # Change by hand a log's retention, which CloudFormation's own detection sees, a parameter and a
    # template.
    (log_group,) = (
        resource["PhysicalResourceId"]
        for resource in cloudformation.describe_stack_resources(
            StackName="timeservice-local-healthcheck"
        )["StackResources"]
        if resource["LogicalResourceId"] == "LogGroup"
    )
    logs.put_retention_policy(logGroupName=log_group, retentionInDays=1)
    found, _ = drift.find_drift(where, "local", REVIEWER | {"limit": "0.5"})
    body = TEMPLATES["artifacts"].body
    cloudformation.update_stack(
        StackName="timeservice-local-artifacts",
        TemplateBody=body.replace("BlockPublicAcls: true", "BlockPublicAcls: false"),
        Tags=[{"Key": "deployment", "Value": "timeservice-local"}],
    )
    # Interrupted: a stack that is missing, and the reviewer's, that is not declared any more.
    cloudformation.delete_stack(StackName="timeservice-local-healthcheck")
    found += drift.find_drift(where, "local", {})[0]
    differences = {(stack, what): (left, right) for stack, what, left, right in found}
    public = "/Resources/Bucket/Properties/PublicAccessBlockConfiguration/BlockPublicAcls"
    assert differences == {
        ("timeservice-local-healthcheck", "LogGroup RetentionInDays"): ("14", "1"),
        ("timeservice-local-healthcheck", "parameter Limit"): ("0.5", "1"),
        ("timeservice-local-artifacts", f"template{public}"): (True, False),
        ("timeservice-local-healthcheck", "stack"): ("deployed", "missing"),
        ("timeservice-local-reviewer-user", "stack"): ("not deployed", "deployed"),
    }


@pytest.mark.integration
def test_where_nothing_is_deployed_there_is_nothing_to_compare(url: str) -> None:
    where = get_local_target(url)._replace(deployment="timeservice-loc")
    with pytest.raises(UserError, match="nothing of timeservice-loc is deployed in us-east-1"):
        drift.find_drift(where, "local", REVIEWER)


ARTIFACTS = TEMPLATES["artifacts"].body


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ARTIFACTS, []),
        (ARTIFACTS + "\n# The comment of another release\n", []),
        (
            ARTIFACTS.replace("BlockPublicAcls: true", "BlockPublicAcls: false"),
            [
                (
                    "/Resources/Bucket/Properties/PublicAccessBlockConfiguration/BlockPublicAcls",
                    True,
                    False,
                )
            ],
        ),
        (
            ARTIFACTS + "  More:\n    Value: x\n",
            [("/Outputs/More", NOTHING, {"Value": "x"})],
        ),
        (
            ARTIFACTS.replace("Outputs:", "Outlets:"),
            [
                ("/Outputs", TEMPLATES["artifacts"].content["Outputs"], NOTHING),
                ("/Outlets", NOTHING, TEMPLATES["artifacts"].content["Outputs"]),
            ],
        ),
    ],
    ids=["the same", "a comment", "a value", "one more", "a section"],
)
def test_each_difference_of_a_template_is_found(
    text: str, expected: list[tuple[str, Any, Any]]
) -> None:
    found = drift.compare(TEMPLATES["artifacts"].content, Template(text).content)
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("part", "deployed", "declared", "expected"),
    [
        ("healthcheck", {"Limit": "1"}, {"Limit": "1"}, []),
        ("healthcheck", {"Limit": "9"}, {"Limit": "1"}, [("parameter Limit", "1", "9")]),
        ("healthcheck", {"Limit": "9"}, {}, [("parameter Limit", "1", "9")]),
        # The digest follows from the other parameters. The image was Amazon's newest at that time.
        ("hosts", {"Release": "old"}, {"Release": "new"}, []),
        ("hosts", {"ImageId": "ami-2"}, {}, []),
        (
            "hosts",
            {"ImageKey": "old"},
            {"ImageKey": "new"},
            [("parameter ImageKey", "new", "old")],
        ),
        # The value is an output of a missing stack, which is reported as a difference of its own.
        ("hosts", {"TargetGroup": "arn"}, {"TargetGroup": drift.UNKNOWN}, []),
    ],
)
def test_parameters_are_compared_with_what_the_program_declares(
    part: str,
    deployed: dict[str, str],
    declared: dict[str, str],
    expected: list[tuple[str, Any, Any]],
) -> None:
    defaults = {
        name: str(parameter.get("Default", ""))
        for name, parameter in TEMPLATES[part].parameters.items()
    }
    required = {name: value for name, value in defaults.items() if not value}
    stack = {
        "StackName": "s",
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in (defaults | deployed).items()
        ],
    }
    found = drift.compare_parameters(stack, TEMPLATES[part], {"parameters": required | declared})
    assert [tuple(difference)[1:] for difference in found] == expected


@pytest.mark.parametrize(
    ("stacks", "declared", "expected"),
    [
        (["network", "hosts-0123456789ab"], ["network", "hosts"], []),
        # An administrator deploys this one, and not the program.
        (["network", "deployer"], ["network"], []),
        (["hosts-0"], ["network", "hosts"], [("network", "stack", "deployed", "missing")]),
        (["network", "budget"], ["network"], [("budget", "stack", "not deployed", "deployed")]),
        (
            ["hosts-0", "hosts-1"],
            ["hosts"],
            [("hosts", "stacks", "1", "2: a release is in progress, or was interrupted")],
        ),
    ],
)
def test_a_stack_that_is_missing_and_one_too_many_are_found(
    stacks: list[str], declared: list[str], expected: list[tuple[str, ...]]
) -> None:
    found = drift.compare_stacks(
        PROD,
        {f"{PROD}-{name}": {} for name in stacks},
        {part: {"name": f"{PROD}-{part}"} for part in declared},
    )
    assert list(found) == [Difference(f"{PROD}-{name}", *rest) for name, *rest in expected]


STACK_ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{PROD}-network/1"
TIME = "2026-11-01T12:00:00Z"


class Recorded:
    """CloudFormation's API with recorded responses, which are used once each and in this order."""

    def __init__(self) -> None:
        self.client = client("http://nowhere.invalid", "cloudformation")
        self.stubber = Stubber(self.client)
        self.stubber.activate()

    def detection(self, *statuses: str, **more: str) -> None:
        self.stubber.add_response(
            "detect_stack_drift", {"StackDriftDetectionId": "d-1"}, {"StackName": "s"}
        )
        for status in statuses:
            response = {
                "StackId": STACK_ID,
                "StackDriftDetectionId": "d-1",
                "DetectionStatus": status,
                "Timestamp": TIME,
            } | more
            self.stubber.add_response(
                "describe_stack_drift_detection_status", response, {"StackDriftDetectionId": "d-1"}
            )

    def page(self, *resources: dict[str, Any]) -> None:
        request: dict[str, Any] = {
            "StackName": "s",
            "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"],
        }
        response: dict[str, Any] = {
            "StackResourceDrifts": [
                {"StackId": STACK_ID, "ResourceType": "AWS::EC2::Route", "Timestamp": TIME}
                | resource
                for resource in resources
            ]
        }
        self.stubber.add_response("describe_stack_resource_drifts", response, request)


@pytest.fixture
def responses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    monkeypatch.setattr("ops.drift.time.sleep", lambda _: None)
    responses = Recorded()
    yield responses
    responses.stubber.assert_no_pending_responses()


MODIFIED = {
    "LogicalResourceId": "HostSecurityGroup",
    "StackResourceDriftStatus": "MODIFIED",
    "PropertyDifferences": [
        {
            "PropertyPath": "/SecurityGroupIngress/0/CidrIp",
            "ExpectedValue": "10.42.0.0/16",
            "ActualValue": "0.0.0.0/0",
            "DifferenceType": "NOT_EQUAL",
        },
        {
            "PropertyPath": "/SecurityGroupEgress/1",
            "ExpectedValue": "null",
            "ActualValue": '{"CidrIp":"0.0.0.0/0","IpProtocol":"-1"}',
            "DifferenceType": "ADD",
        },
    ],
}
DELETED = {"LogicalResourceId": "PrivateRoute", "StackResourceDriftStatus": "DELETED"}


def test_cloudformation_s_own_detection_is_waited_for_and_read(
    responses: Recorded,
) -> None:
    responses.detection("DETECTION_IN_PROGRESS", "DETECTION_IN_PROGRESS", "DETECTION_COMPLETE")
    responses.page(MODIFIED, DELETED)
    assert list(drift.detect_drift(responses.client, "s")) == [
        Difference(
            "s", "HostSecurityGroup SecurityGroupIngress/0/CidrIp", "10.42.0.0/16", "0.0.0.0/0"
        ),
        Difference(
            "s",
            "HostSecurityGroup SecurityGroupEgress/1",
            "null",
            '{"CidrIp":"0.0.0.0/0","IpProtocol":"-1"}',
        ),
        Difference("s", "PrivateRoute", "deployed", "deleted"),
    ]


def test_a_detection_that_fails_for_some_resources_still_counts_for_the_others(
    responses: Recorded,
) -> None:
    responses.detection("DETECTION_FAILED", DetectionStatusReason="Failed to detect drift on [Vpc]")
    responses.page(DELETED)
    found: list[Difference] = []
    with pytest.raises(UserError, match=r"Failed to detect drift on \[Vpc\]"):
        found.extend(drift.detect_drift(responses.client, "s"))
    assert [difference.where for difference in found] == ["PrivateRoute"]


def test_a_detection_that_does_not_end_is_given_up(
    responses: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "DETECTION_TIMEOUT", -1.0)
    responses.detection()
    with pytest.raises(UserError, match="takes more than"):
        list(drift.detect_drift(responses.client, "s"))


class Deployed:
    """A deployment of one stack, whose drift detection AWS refuses.

    body: of its template; a stack in review has none.
    """

    def __init__(
        self, responses: Recorded, status: str = "UPDATE_ROLLBACK_FAILED", body: str = ARTIFACTS
    ) -> None:
        self.cloudformation = responses.client
        stack = {
            "StackName": f"{PROD}-artifacts",
            "StackId": f"arn:aws:cloudformation:eu-west-1:1:stack/{PROD}-artifacts/1",
            "CreationTime": TIME,
            "StackStatus": status,
        }
        responses.stubber.add_response("list_stacks", {"StackSummaries": [stack]})
        responses.stubber.add_response("describe_stacks", {"Stacks": [stack]})
        if body:
            responses.stubber.add_response("get_template", {"TemplateBody": body})
            responses.stubber.add_client_error("detect_stack_drift", "AccessDenied", "denied")

    def client(self, service: str) -> Any:
        return self.cloudformation if service == "cloudformation" else mock.Mock()


def test_what_cannot_be_compared_keeps_nothing_else_from_it(
    responses: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise FileNotFoundError("no Pulumi.prod.yaml")

    monkeypatch.setattr(drift, "get_configuration", fail)
    where = Target(PROD, "eu-west-1", Deployed(responses).client)
    differences, unchecked = drift.find_drift(where, "prod", {})
    assert [tuple(difference) for difference in differences] == [
        (
            f"{PROD}-artifacts",
            "status",
            "CREATE_COMPLETE or UPDATE_COMPLETE or UPDATE_ROLLBACK_COMPLETE",
            "UPDATE_ROLLBACK_FAILED",
        )
    ]
    parameters, detection = unchecked
    assert parameters == "parameters, and which stacks there should be: no Pulumi.prod.yaml"
    assert detection.startswith(f"{PROD}-artifacts: CloudFormation's drift detection: ")
    assert "AccessDenied" in detection


def test_the_stack_of_a_change_set_has_nothing_to_compare_yet(responses: Recorded) -> None:
    where = Target(PROD, "eu-west-1", Deployed(responses, "REVIEW_IN_PROGRESS", "").client)
    differences, _ = drift.find_drift(where, "prod", {})
    assert [difference[1::2] for difference in differences] == [("status", "REVIEW_IN_PROGRESS")]


def test_a_template_in_json_is_compared_too(responses: Recorded) -> None:
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    where = Target(PROD, "eu-west-1", Deployed(responses, "CREATE_COMPLETE", body).client)
    differences, _ = drift.find_drift(where, "prod", {})
    topic = {"Type": "AWS::SNS::Topic"}
    stack = f"{PROD}-artifacts"
    assert Difference(stack, "template/Resources/Topic", drift.NOTHING, topic) in differences


A_DIFFERENCE = Difference(f"{PROD}-network", "Vpc CidrBlock", "10.42.0.0/16", "10.0.0.0/8")


@pytest.mark.parametrize(
    ("findings", "status", "words"),
    [
        (([], []), 0, "No differences.\n"),
        (([], ["Function Code"]), 0, "not checked: Function Code\n"),
        (
            ([A_DIFFERENCE], []),
            1,
            "-network Vpc CidrBlock\n    should be  10.42.0.0/16\n    is         10.0.0.0/8\n"
            "1 difference.\n",
        ),
        (UserError("nothing of it is deployed"), 3, "error: nothing of it is deployed"),
        (NoCredentialsError(), 3, "error: requests to AWS fail: Unable to locate credentials"),
    ],
)
def test_the_exit_code_says_what_the_words_say(
    findings: tuple[list[Difference], list[str]] | Exception,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def find_drift(*_: Any) -> tuple[list[Difference], list[str]]:
        if isinstance(findings, Exception):
            raise findings
        return findings

    monkeypatch.setattr(drift, "get_target", lambda _: Target(PROD, "eu-west-1", print))
    monkeypatch.setattr(drift, "find_drift", find_drift)
    assert drift.main(["--stack", "prod"]) == status
    output = capsys.readouterr()
    assert words in output.out + output.err
    assert "emulator" not in output.out


def test_the_local_cloud_says_what_it_cannot_see(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drift, "get_target", lambda _: Target(PROD, "us-east-1", print))
    monkeypatch.setattr(drift, "find_drift", lambda *_: ([], []))
    assert drift.main(["--stack", "local"]) == 0
    output = capsys.readouterr().out
    assert "not checked: most changes by hand in the local cloud" in output
    assert "make reach" in output
