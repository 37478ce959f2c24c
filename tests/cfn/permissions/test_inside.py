"""Least privilege: two evaluators agree with hosts.csv, function.csv and deployer.csv."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.cfn.permissions.emulator import ACCOUNT
from tests.cfn.permissions.evaluators import EVALUATORS, Identity, Question, iam_simulate, ministack
from tests.cfn.permissions.inside import BUCKET, RELEASE, format_question, table

pytestmark = pytest.mark.integration

Grants = tuple[Mapping[str, Identity], str]
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize(("name", "rows"), [("hosts", 30), ("function", 30), ("deployer", 100)])
def test_it_may_do_what_its_table_says(
    grants: Grants, name: str, rows: int, evaluator: str
) -> None:
    identities, boundary = grants
    expected = table(name, boundary)
    assert len({format_question(question) for _, question in expected}) == len(expected) > rows
    answers = EVALUATORS[evaluator](identities[name], [question for _, question in expected])
    assert [
        f"{'allowed' if answer else 'denied'}: {format_question(question)}"
        for (allowed, question), answer in zip(expected, answers, strict=True)
        if answer != allowed
    ] == []


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize("name", ["hosts", "function"])
def test_whatever_its_policies_come_to_say_the_boundary_holds(
    grants: Grants, name: str, evaluator: str
) -> None:
    """A policy that allows everything adds only another object of the bucket."""
    identities, boundary = grants
    grown = identities[name]._replace(policies=[EVERYTHING])
    questions = [question for _, question in table(name, boundary)]
    answers = EVALUATORS[evaluator](grown, questions)
    allowed = {
        question.action for question, answer in zip(questions, answers, strict=True) if answer
    }
    assert allowed <= {
        "s3:GetObject",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "cloudwatch:PutMetricData",
    }
    # The boundary denies these requests (for a key of KMS, the policy of the key).
    without = EVALUATORS[evaluator](grown._replace(boundary=None), questions)
    denied = {
        question.action for question, answer in zip(questions, without, strict=True) if not answer
    }
    assert denied <= {"kms:Decrypt"}


def test_a_bucket_of_the_same_name_in_another_account_is_not_read(grants: Grants) -> None:
    """Only iam-simulate can tell: MiniStack takes each bucket for the caller's own."""
    key = f"arn:aws:s3:::{BUCKET}/images/{RELEASE}.tar.gz"
    for account, expected in ((ACCOUNT, True), ("111122223333", False)):
        question = Question("s3:GetObject", key, {"aws:ResourceAccount": account})
        assert iam_simulate(grants[0]["hosts"], [question]) == [expected]


@pytest.mark.parametrize(
    ("name", "text", "wider"),
    [
        ("hosts", f"images/{RELEASE}.tar.gz", "images/*"),
        ("hosts", f"{BUCKET}/images", "*/images"),
        ("hosts", "s3:GetObject", "s3:GetObject*"),
        ("function", "LogGroup-1:*", "*"),
        ("function", '"cloudwatch:namespace": "timeservice"', '"aws:ResourceAccount": "*"'),
        ("function", "logs:CreateLogStream", "logs:*"),
        ("deployer", '"aws:CalledVia": "cloudformation.amazonaws.com"', '"aws:CalledVia": "*"'),
        ("deployer", '"aws:ViaAWSService": "true"', '"aws:ViaAWSService": ["true", "false"]'),
        ("deployer", ":stack/timeservice-demo-network/", ":stack/*"),
        ("deployer", "timeservice-demo-artifacts-bucket-", "timeservice-*"),
        ("deployer", '["t3.micro", "t3.small", "t4g.micro", "t4g.small"]', '"*"'),
        ("deployer", '"aws:ResourceTag/deployment": "timeservice-demo"', '"aws:CalledVia": "*"'),
        ("deployer", '["ec2.amazonaws.com", "lambda.amazonaws.com"]', '"*"'),
        ("deployer", ":role/timeservice-demo-hosts-", ":role/*"),
        ("deployer", "us-east-1", "*"),
    ],
)
def test_a_policy_that_allows_more_is_noticed(
    grants: Grants, name: str, text: str, wider: str
) -> None:
    identities, boundary = grants
    content = json.dumps(identities[name].policies)
    assert text in content
    content = content.replace(text, wider).replace('"StringEquals"', '"StringLike"')
    content = content.replace('"ForAnyValue:StringEquals"', '"ForAnyValue:StringLike"')
    mutated = identities[name]._replace(policies=json.loads(content), boundary=None)
    expected = table(name, boundary)
    answers = ministack(mutated, [question for _, question in expected])
    assert [allowed for allowed, _ in expected] != answers
