"""AWS accepts the budget, and its mails come in time. (MiniStack lacks the resource type.)

The references are the schema of the resource type, which cfn-lint has, and botocore's model of the
API, with the allowed names and values. tests/rehearsal/test_2_budget.py makes a budget by that API.
"""

from __future__ import annotations

from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.support.templates import TEMPLATES

EMAIL = "ops@example.org"


def budget(**values: str) -> dict[str, Any]:
    """Return the resource's properties, as CloudFormation would resolve them."""
    limit = TEMPLATES["budget"].parameters["LimitInDollars"]["Default"]
    parameters: dict[str, Any] = {"Email": EMAIL, "LimitInDollars": limit, **values}
    properties: dict[str, Any] = TEMPLATES["budget"].resources["Budget"]["Properties"]
    resolved: dict[str, Any] = resolve(properties, parameters)
    return resolved


def resolve(value: Any, parameters: dict[str, Any]) -> Any:
    """Replace each reference to a parameter by its value."""
    if isinstance(value, list):
        return [resolve(item, parameters) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return parameters[value["Ref"]]
    return {key: resolve(item, parameters) for key, item in value.items()}


def request(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the request that CloudFormation makes of the properties. CloudFormation makes up the
    name."""
    limit = properties["Budget"]["BudgetLimit"]
    amount = {"BudgetLimit": {**limit, "Amount": str(limit["Amount"])}}
    return {
        "AccountId": "123456789012",
        "Budget": {**properties["Budget"], **amount, "BudgetName": "made-up"},
        "NotificationsWithSubscribers": properties["NotificationsWithSubscribers"],
    }


def misfits(shape: Any, value: Any, where: str = "") -> list[str]:
    """Return values that the API's model does not list. botocore's validation accepts them."""
    if shape.type_name == "structure":
        return [
            misfit
            for key, inner in value.items()
            for misfit in misfits(shape.members[key], inner, f"{where}.{key}")
        ]
    if shape.type_name == "list":
        return [misfit for inner in value for misfit in misfits(shape.member, inner, where)]
    allowed = getattr(shape, "enum", [])
    return [f"{where}: {value}"] if allowed and value not in allowed else []


@pytest.fixture(scope="module")
def create() -> Any:
    model = botocore.session.get_session().get_service_model("budgets")
    return model.operation_model("CreateBudget").input_shape


def test_it_meets_the_schema_of_its_resource_type() -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Budgets::Budget").schema
    jsonschema.validate(budget(), schema)
    misnamed = {**budget(), "Notifications": []}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(misnamed, schema)


def test_the_api_behind_it_knows_every_name_and_value(create: Any) -> None:
    parameters = request(budget())
    assert ParamValidator().validate(parameters, create).generate_report() == ""
    assert misfits(create, parameters) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("Budget", "BudgetType"), "MONEY"),
        (("Budget", "TimeUnit"), "WEEKLY"),
        (("NotificationsWithSubscribers", 0, "Notification", "NotificationType"), "GUESSED"),
        (("NotificationsWithSubscribers", 1, "Subscribers", 0, "SubscriptionType"), "MAIL"),
    ],
)
def test_a_value_that_the_api_does_not_know_would_be_found(
    create: Any, path: tuple[Any, ...], value: str
) -> None:
    parameters = request(budget())
    place = parameters
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert [misfit.endswith(f": {value}") for misfit in misfits(create, parameters)] == [True]


def test_it_sees_use_that_credits_pay_for() -> None:
    spent = budget(LimitInDollars="7")["Budget"]
    assert spent["CostTypes"] == {"IncludeCredit": False, "IncludeRefund": False}
    assert (spent["BudgetType"], spent["TimeUnit"]) == ("COST", "MONTHLY")
    assert spent["BudgetLimit"] == {"Amount": "7", "Unit": "USD"}


def test_it_is_of_the_whole_account() -> None:
    """A filter by a tag that nobody has activated matches nothing, and AWS would never send a
    mail."""
    assert not {"CostFilters", "FilterExpression"} & set(budget()["Budget"])


def test_it_has_no_name_that_its_replacement_would_collide_with() -> None:
    assert "BudgetName" not in budget()["Budget"]


def test_it_tells_by_mail_what_is_to_come_and_what_was_spent() -> None:
    mails = budget()["NotificationsWithSubscribers"]
    assert len(mails) <= 5
    thresholds = {}
    for entry in mails:
        assert entry["Subscribers"] == [{"SubscriptionType": "EMAIL", "Address": EMAIL}]
        about = entry["Notification"]
        assert (about["ComparisonOperator"], about["ThresholdType"]) == (
            "GREATER_THAN",
            "PERCENTAGE",
        )
        thresholds[about["NotificationType"]] = about["Threshold"]
    assert set(thresholds) == {"ACTUAL", "FORECASTED"}
    assert thresholds["ACTUAL"] < 100, "the mail would come too late"


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("Email", "ops@example.org", True),
        ("Email", "", False),
        ("Email", "ops", False),
        ("LimitInDollars", "1", True),
        ("LimitInDollars", "0", False),
        ("LimitInDollars", "1.5", False),
    ],
)
def test_whom_to_tell_is_required_and_the_limit_is_a_number(
    parameter: str, value: str, allowed: bool
) -> None:
    assert (TEMPLATES["budget"].find_fault(parameter, value) is None) is allowed
    assert "Default" not in TEMPLATES["budget"].parameters["Email"]
