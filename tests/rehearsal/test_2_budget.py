"""The local cloud's Budgets API, unlike its CloudFormation, makes the template's budget."""

from __future__ import annotations

import docker
import pytest
from botocore.exceptions import ClientError

from tests.cfn.test_budget import EMAIL, budget, request
from tests.rehearsal.cloud import aws
from tests.support.templates import TEMPLATES

pytestmark = pytest.mark.rehearsal


def test_the_api_makes_the_budget_of_the_template(engine: docker.DockerClient) -> None:
    api = aws(engine, "budgets")
    made = request(budget(LimitInDollars="20"))
    which = {"AccountId": made["AccountId"], "BudgetName": made["Budget"]["BudgetName"]}
    api.create_budget(**made)
    try:
        found = api.describe_budget(**which)["Budget"]
        assert float(found["BudgetLimit"]["Amount"]) == 20
        assert found["CostTypes"]["IncludeCredit"] is False
        notifications = api.describe_notifications_for_budget(**which)["Notifications"]
        assert {notification["NotificationType"] for notification in notifications} == {
            "ACTUAL",
            "FORECASTED",
        }
        for notification in notifications:
            key = ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType")
            whom = api.describe_subscribers_for_notification(
                **which, Notification={name: notification[name] for name in key}
            )
            assert [each["SubscriptionType"] for each in whom["Subscribers"]] == ["EMAIL"]
    finally:
        api.delete_budget(**which)


def test_the_api_looks_at_what_it_is_told(engine: docker.DockerClient) -> None:
    made = request(budget())
    made["Budget"]["TimeUnit"] = "WEEKLY"
    with pytest.raises(ClientError, match="TimeUnit must be one of"):
        aws(engine, "budgets").create_budget(**made)


def test_its_cloudformation_does_not_know_the_type(engine: docker.DockerClient) -> None:
    """If MiniStack learns the type, the program's refusal (local/program.py) can go."""
    with pytest.raises(ClientError, match="AWS::Budgets::Budget"):
        aws(engine, "cloudformation").create_stack(
            StackName="budget",
            TemplateBody=TEMPLATES["budget"].body,
            Parameters=[{"ParameterKey": "Email", "ParameterValue": EMAIL}],
        )
