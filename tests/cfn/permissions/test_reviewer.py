"""The reviewer sees this deployment and changes nothing: two evaluators agree with reviewer.csv."""

from __future__ import annotations

import copy
import fnmatch
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.cfn.permissions.emulator import ACCOUNT
from tests.cfn.permissions.evaluators import (
    EVALUATORS,
    Identity,
    Question,
    actions,
    iam_simulate,
    ministack,
)
from tests.cfn.permissions.reviewer import DEPLOYMENT, QUESTIONS, TABLE, surprises

pytestmark = pytest.mark.integration

Reviewers = dict[str, Identity]
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
# AWS lists a resource for these, but metrics that services publish have none.
KNOW_NO_RESOURCES = {"cloudwatch:GetMetricData", "cloudwatch:ListMetrics"}
# The services that the deployment uses, and those with which a reviewer could gain more.
SERVICES = (
    "autoscaling",
    "budgets",
    "cloudformation",
    "cloudwatch",
    "ec2",
    "elasticloadbalancing",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "s3",
    "secretsmanager",
    "sns",
    "ssm",
    "sts",
)


def with_statement(identity: Identity, statement: dict[str, Any]) -> Identity:
    """Return the identity with another policy."""
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return identity._replace(policies=[*identity.policies, policy])


def access(identity: Identity) -> dict[str, dict[str, Any]]:
    """Return a copy of the identity's only policy: Sid -> statement."""
    (policy,) = identity.policies
    return {statement["Sid"]: copy.deepcopy(statement) for statement in policy["Statement"]}


def test_no_question_is_asked_twice() -> None:
    keys = {
        (question.action, question.resource, *question.context.items()) for question in QUESTIONS
    }
    assert len(keys) == len(TABLE) > 300


@pytest.mark.parametrize("kind", ["user", "role"])
@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_the_identity_may_do_what_the_table_says(
    reviewers: Reviewers, evaluator: str, kind: str
) -> None:
    assert surprises(EVALUATORS[evaluator](reviewers[kind], QUESTIONS), kind) == []


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_whatever_else_is_attached_one_day_adds_nothing(
    reviewers: Reviewers, evaluator: str
) -> None:
    promoted = with_statement(reviewers["user"], EVERYTHING)
    assert surprises(EVALUATORS[evaluator](promoted, QUESTIONS), "user") == []


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_what_must_never_be_is_denied_and_not_only_not_allowed(
    reviewers: Reviewers, evaluator: str
) -> None:
    """Assume that a policy allows everything, and that there is no boundary."""
    given_all = with_statement(reviewers["user"], EVERYTHING)._replace(boundary=None)
    answers = EVALUATORS[evaluator](given_all, QUESTIONS)
    denied = {
        question.action for question, answer in zip(QUESTIONS, answers, strict=True) if not answer
    }
    assert denied == {question.action for who, question in TABLE if who == "never"}


def test_nothing_is_allowed_but_what_the_table_allows(reviewers: Reviewers) -> None:
    """Try every action of these services, on our own resources and on any others."""
    ours = [question.resource for who, question in TABLE if who in ("both", "user")]
    questions = [
        Question(action, resource, {"aws:RequestedRegion": "us-east-1"})
        for action in actions(*SERVICES)
        for resource in dict.fromkeys(ours)
        if resource == "*" or resource.split(":")[2] == action.split(":")[0]
    ]
    answers = ministack(reviewers["user"], questions)
    allowed = {
        question.action for question, answer in zip(questions, answers, strict=True) if answer
    }
    assert allowed == {question.action for who, question in TABLE if who in ("both", "user")}


def test_nothing_that_writes_is_allowed_but_for_the_own_password_and_second_factor(
    reviewers: Reviewers,
) -> None:
    """The other evaluator takes `*` for any resource that could exist."""
    catalogue = actions(*SERVICES)
    writing = [name for name, action in catalogue.items() if action.level not in ("List", "Read")]
    assert len(writing) > 1000
    context = {"aws:RequestedRegion": "us-east-1"}
    answers = iam_simulate(
        reviewers["user"], [Question(action, context=context) for action in writing]
    )
    assert {action for action, answer in zip(writing, answers, strict=True) if answer} == {
        "iam:ChangePassword",
        "iam:CreateVirtualMFADevice",
        "iam:EnableMFADevice",
        "iam:ResyncMFADevice",
    }


def test_what_is_allowed_is_named_exists_and_is_limited_as_far_as_aws_can(
    reviewers: Reviewers,
) -> None:
    catalogue = actions(*SERVICES)
    for sid, statement in access(reviewers["user"]).items():
        if statement["Effect"] == "Deny":
            continue
        named = as_list(statement["Action"])
        assert set(named) <= set(catalogue), sid
        if statement["Resource"] == "*":
            could = {action for action in named if catalogue[action].resources}
            assert could <= KNOW_NO_RESOURCES, sid
            assert "Condition" in statement or named == ["iam:GetAccountPasswordPolicy"], sid
        else:
            assert "*" not in [
                resource.split(":", 5)[5] for resource in as_list(statement["Resource"])
            ], sid


def test_what_is_denied_exists(reviewers: Reviewers) -> None:
    """A denial of an action that does not exist protects nothing."""
    denied = {
        action
        for statement in access(reviewers["user"]).values()
        if statement["Effect"] == "Deny"
        for action in as_list(statement["Action"])
    }
    catalogue = actions(*{action.split(":")[0] for action in denied})
    for pattern in denied:
        assert fnmatch.filter(catalogue, pattern), pattern


def test_its_one_policy_is_its_boundary_and_short_enough(reviewers: Reviewers) -> None:
    for identity in reviewers.values():
        assert list(identity.policies) == [identity.boundary]
        text = re.sub(r"\s", "", json.dumps(identity.boundary))
        longest = 60 - len(DEPLOYMENT)  # a deployment's name may be this much longer
        assert len(text) + text.count(DEPLOYMENT) * longest <= 6144  # of IAM


Change = Callable[[dict[str, dict[str, Any]]], None]


def allow(action: str) -> Change:
    def change(policy: dict[str, dict[str, Any]]) -> None:
        policy["More"] = EVERYTHING | {"Sid": "More", "Action": action}

    return change


def put(sid: str, key: str, value: Any) -> Change:
    def change(policy: dict[str, dict[str, Any]]) -> None:
        policy[sid][key] = value

    return change


def without(sid: str) -> Change:
    def change(policy: dict[str, dict[str, Any]]) -> None:
        del policy[sid]

    return change


CFN = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/"


@pytest.mark.parametrize(
    ("change", "surprise"),
    [
        (allow("ec2:*"), "ec2:TerminateInstances .*allowed"),
        (allow("ec2:Describe*"), "ec2:DescribeSnapshots .*allowed"),
        (allow("cloudwatch:PutMetricData"), "cloudwatch:PutMetricData .*allowed"),
        (allow("iam:Get*"), "iam:GetPolicy .*allowed"),
        (put("Region", "Condition", {}), "ec2:DescribeInstances .* in eu-west-1: allowed"),
        (put("Stacks", "Resource", "*"), "somebody-elses.*allowed"),
        (put("Stacks", "Resource", f"{CFN}{DEPLOYMENT}*"), f"{DEPLOYMENT}2-network.*allowed"),
        (put("Stacks", "Resource", f"{CFN}{DEPLOYMENT}-*"), "hosts-ba9876543210.*allowed"),
        (put("Stacks", "Resource", f"{CFN}{DEPLOYMENT}-network/*"), "-balancer/1 .*denied"),
        (put("Logs", "Resource", "*"), "/aws/lambda/somebody-elses .*allowed"),
        (put("Bucket", "Resource", "arn:aws:s3:::*"), "s3:ListBucket on .*somebody-elses"),
        (put("Alarms", "Resource", "*"), "alarm:somebody-elses .*allowed"),
        (put("Dashboard", "Resource", "*"), "dashboard/somebody-elses .*allowed"),
        (put("Function", "Action", "lambda:*"), "lambda:UpdateFunctionCode .*allowed"),
        (put("OwnSignIn", "Resource", f"arn:aws:iam::{ACCOUNT}:user/*"), "user/somebody-else .*a"),
        (put("Never", "Action", "iam:*"), "iam:ChangePassword .*denied"),
        (put("Never", "Action", "iam:Get*"), "iam:GetAccountPasswordPolicy .*denied"),
        (without("PasswordRules"), "iam:GetAccountPasswordPolicy .*denied"),
        (without("OwnSignIn"), "iam:CreateVirtualMFADevice .*denied"),
    ],
)
def test_the_table_notices_a_policy_that_says_more_or_less(
    reviewers: Reviewers, change: Change, surprise: str
) -> None:
    statements = access(reviewers["user"])
    change(statements)
    policy = {"Version": "2012-10-17", "Statement": list(statements.values())}
    changed = reviewers["user"]._replace(policies=[policy], boundary=policy)
    differences = surprises(ministack(changed, QUESTIONS), "user")
    assert [text for text in differences if re.search(surprise, text)], differences


def test_the_table_notices_when_there_is_no_boundary(reviewers: Reviewers) -> None:
    promoted = with_statement(reviewers["user"], EVERYTHING)._replace(boundary=None)
    assert len(surprises(ministack(promoted, QUESTIONS), "user")) > 50


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
