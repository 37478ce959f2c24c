"""cfn/deployer.yaml allows what a deployment takes, in AWS's own words, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from deployment.errors import UserError
from deployment.preflight import Preflight
from local import program
from tests.cfn.permissions.emulator import ACCOUNT, REGION
from tests.cfn.permissions.evaluators import (
    EVALUATORS,
    Evaluator,
    Identity,
    Question,
    ministack,
)
from tests.cfn.permissions.handlers import UNUSED, list_needed, list_permissions, templates_types
from tests.cfn.permissions.inside import DEPLOYMENT, format_question
from tests.cfn.permissions.needs import (
    CALLED_BY_SERVICES,
    LOOKED_UP,
    PREFLIGHT,
    PROGRAM,
    questions,
)
from tests.support.templates import TEMPLATES

pytestmark = pytest.mark.integration

Grants = tuple[Mapping[str, Identity], str]
POLICIES = {
    name: resource["Properties"]["PolicyDocument"]["Statement"]
    for name, resource in TEMPLATES["deployer"].resources.items()
    if name != "Boundary"
}
STATEMENTS = [
    (policy, statement["Sid"])
    for policy, statements in POLICIES.items()
    for statement in statements
]
FROM_CLOUDFORMATION = {"aws:CalledVia": "cloudformation.amazonaws.com"}
FROM_A_SERVICE = {"aws:ViaAWSService": "true"}


@pytest.fixture(scope="module")
def needs(grants: Grants) -> list[Question]:
    return questions(grants[1])


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_all_that_a_deployment_takes_is_allowed(
    grants: Grants, needs: list[Question], evaluator: str
) -> None:
    assert len(needs) > 300
    answers = EVALUATORS[evaluator](grants[0]["deployer"], needs)
    assert [
        format_question(question)
        for question, answer in zip(needs, answers, strict=True)
        if not answer
    ] == []


@pytest.mark.parametrize(("policy", "sid"), STATEMENTS)
def test_without_any_one_of_its_statements_something_is_denied(
    grants: Grants, needs: list[Question], policy: str, sid: str
) -> None:
    assert not all(ministack(drop_statement(grants[0]["deployer"], policy, sid), needs))


def drop_statement(deployer: Identity, policy: str, sid: str) -> Identity:
    less = [
        {**document, "Statement": [each for each in document["Statement"] if each["Sid"] != sid]}
        if {each["Sid"] for each in document["Statement"]}
        == {each["Sid"] for each in POLICIES[policy]}
        else document
        for document in deployer.policies
    ]
    assert less != deployer.policies
    return deployer._replace(policies=less)


class Simulator:
    """AWS's IAM, simulated by one of the evaluators, for an identity."""

    def __init__(self, evaluator: Evaluator, identity: Identity) -> None:
        self.evaluator, self.simulated = evaluator, identity

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/me"}

    def get_role(self, RoleName: str) -> dict[str, Any]:
        assert RoleName == "deployer"
        return {"Role": {"Arn": self.simulated.arn}}

    def simulate_principal_policy(self, **request: Any) -> dict[str, Any]:
        assert request["PolicySourceArn"] == self.simulated.arn
        context = {
            entry["ContextKeyName"]: entry["ContextKeyValues"][0]
            for entry in request["ContextEntries"]
        }
        (resource,), actions = request["ResourceArns"], request["ActionNames"]
        questions = [Question(action, resource, context) for action in actions]
        answers = self.evaluator(self.simulated, questions)
        results = [
            {"EvalActionName": action, "EvalDecision": "allowed" if answer else "implicitDeny"}
            for action, answer in zip(actions, answers, strict=True)
        ]
        return {"EvaluationResults": results}


def simulate(evaluator: Evaluator, identity: Identity, boundary: str) -> str:
    """Run preflight's check of the permissions."""
    budget = {"budget": "1", "alertEmail": "ops@example.org"}
    settings = program.load_settings({"permissionsBoundary": boundary, **budget}, "")
    iam = Simulator(evaluator, identity)
    return Preflight(lambda _: iam, REGION, DEPLOYMENT, settings).check_permissions()


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_preflight_finds_that_the_deployer_may_do_all(grants: Grants, evaluator: str) -> None:
    deployer = grants[0]["deployer"]
    assert simulate(EVALUATORS[evaluator], deployer, grants[1]).startswith("all, ")


# Preflight calls these actions themselves.
ASKED = ("MachineImage", "LookForFaults")


@pytest.mark.parametrize(("policy", "sid"), STATEMENTS)
def test_preflight_finds_that_a_statement_is_missing(grants: Grants, policy: str, sid: str) -> None:
    deployer = drop_statement(grants[0]["deployer"], policy, sid)
    if sid in (*ASKED, "SimulateOwn"):
        assert simulate(ministack, deployer, grants[1]).startswith("all, ")
        return
    with pytest.raises(UserError, match="may not, as AWS simulates it: "):
        simulate(ministack, deployer, grants[1])


def test_no_action_is_allowed_that_nobody_needs() -> None:
    needed_actions = set(PROGRAM).union(
        PREFLIGHT, LOOKED_UP, CALLED_BY_SERVICES, *map(list_needed, templates_types())
    )
    allowed = {action for _, action in _actions()}
    assert {
        action
        for action in allowed
        if not any(fnmatchcase(each, action) for each in needed_actions)
    } == set()


def test_what_is_left_out_is_something_that_a_handler_names() -> None:
    stale = {
        (kind, pattern)
        for kind, patterns in UNUSED.items()
        for pattern in patterns
        if not any(fnmatchcase(action, pattern) for action in list_permissions(kind))
    }
    assert stale == set()
    assert set(UNUSED) <= templates_types()


def test_all_but_the_program_s_own_calls_come_from_a_service() -> None:
    by_hand = {
        statement["Sid"]
        for policy, statements in POLICIES.items()
        for statement in statements
        if policy != "Program"
        and statement["Condition"].get("ForAnyValue:StringEquals") != FROM_CLOUDFORMATION
        and statement["Condition"].get("Bool") != FROM_A_SERVICE
    }
    # A condition limits these by the service that may use the role.
    assert by_hand == {"PassRoles", "ServiceLinkedRoles"}


def test_no_statement_says_no_resource_or_no_region_and_no_tag() -> None:
    for policy, statements in POLICIES.items():
        for statement in statements:
            if statement["Resource"] == "*":
                assert "aws:RequestedRegion" in statement["Condition"]["StringEquals"], (
                    policy,
                    statement,
                )


def test_each_policy_is_within_what_iam_takes(grants: Grants) -> None:
    """A policy has up to 6,144 characters, and a deployment's name 31 (the test's has 16)."""
    for document in grants[0]["deployer"].policies:
        text = re.sub(r"\s", "", json.dumps(document)).replace("timeservice-demo", "t" * 31)
        assert len(text.replace("us-east-1", "ap-southeast-1")) <= 6144


def _actions() -> Iterator[tuple[dict[str, Any], str]]:
    for statements in POLICIES.values():
        for statement in statements:
            for action in (
                [statement["Action"]]
                if isinstance(statement["Action"], str)
                else statement["Action"]
            ):
                yield statement, action
