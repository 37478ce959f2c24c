"""The reviewer is off by default, sees the other stacks, and has a secret password."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from deployment.template import read_template
from tests.support.engine import PASSWORD, Engine

USER = {"reviewer": "user"}
pytestmark = pytest.mark.usefixtures("archives")
ROLE = {"reviewer": "role", "reviewerAccount": "123456789012", "reviewerExternalId": "review-1"}


def parameters(engine: Engine) -> dict[str, Any]:
    return engine.get_parameters("reviewer")


def test_there_is_no_reviewer_by_default() -> None:
    engine = Engine().run()
    assert "reviewer" not in engine.stacks()
    assert "reviewer" not in engine.exports
    assert "reviewer-login" not in engine.resources


@pytest.mark.parametrize("config", [USER, ROLE], ids=str)
def test_its_stack_gets_outputs_of_the_others_and_the_release_when_its_hosts_serve(
    config: dict[str, str],
) -> None:
    inputs = parameters(Engine().run(config))
    assert inputs == {
        "Kind": config["reviewer"],
        "TrustedAccount": config.get("reviewerAccount", ""),
        "ExternalId": config.get("reviewerExternalId", ""),
        "Deployment": "timeservice-test",
        "Release": "hosts.Release",  # the output of the finished stack, not the name beforehand
        "ArtifactsBucket": "artifacts.Bucket",
        "LogGroup": "healthcheck.LogGroup",
        "Function": "healthcheck.Function",
        "Dashboard": "healthcheck.Dashboard",
    }
    for key in ("Kind", "TrustedAccount", "ExternalId", "Deployment"):
        assert read_template("reviewer").find_fault(key, inputs[key]) is None, key


@pytest.mark.parametrize("config", [USER, ROLE], ids=str)
def test_a_preview_of_it_works(config: dict[str, str]) -> None:
    assert "reviewer" in Engine().run(config, preview=True).stacks()


def test_another_kind_is_another_stack() -> None:
    """An update of one stack would delete a user that still has its password, which IAM refuses."""
    names = {Engine().run(config).stacks()["reviewer"]["name"] for config in (USER, ROLE)}
    assert names == {"timeservice-test-reviewer-user", "timeservice-test-reviewer-role"}


def test_a_user_s_password_is_a_secret_to_be_changed_and_is_in_no_stack() -> None:
    engine = Engine().run(USER)
    login = engine.resources["reviewer-login"]
    assert login == {"user": "reviewer.Name", "passwordResetRequired": True}
    assert list(engine.requests["reviewer-login"].additionalSecretOutputs) == ["password"]
    assert engine.exports["reviewer"]["password"] == PASSWORD
    assert engine.secrets == {"reviewer"}
    assert PASSWORD not in json.dumps(engine.stacks())


def test_a_user_s_password_goes_before_its_user() -> None:
    """The engine deletes what depends on a thing before the thing."""
    urns = Engine().run(USER).requests["reviewer-login"].propertyDependencies["user"].urns
    assert [urn.split("::")[-1] for urn in urns] == ["reviewer-user"]


def test_a_user_gets_the_page_to_sign_in_and_pages_to_open() -> None:
    output = Engine().run(USER).exports["reviewer"]
    assert (output["url"], output["user"]) == ("reviewer.SignInUrl", "reviewer.Name")
    console = "https://eu-west-1.console.aws.amazon.com"
    start = f"{console}/cloudformation/home?region=eu-west-1#/stacks/stackinfo?stackId="
    stacks = [page.removeprefix(start) for page in output["pages"] if page.startswith(start)]
    assert [stack.split("-")[0] for stack in stacks] == [
        *("artifacts", "network", "balancer", "hosts", "healthcheck", "reviewer")
    ]
    start = f"{console}/cloudwatch/home?region=eu-west-1#dashboards/dashboard/"
    assert f"{start}healthcheck.Dashboard" in output["pages"]


def test_a_role_has_no_password_and_no_secret() -> None:
    engine = Engine().run(ROLE)
    assert "reviewer-login" not in engine.resources
    assert engine.secrets == set()
    output = engine.exports["reviewer"]
    assert (output["role"], output["externalId"]) == ("reviewer.Arn", "review-1")
    assert output["command"].endswith("--external-id review-1 --role-arn reviewer.Arn")


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (
            ROLE | {"reviewerAccount": "1234"},
            "reviewerAccount is '1234': must be the 12 digits",
        ),
        (
            ROLE | {"reviewerExternalId": "two words"},
            "reviewerExternalId is 'two words'",
        ),
    ],
    ids=str,
)
def test_a_reviewer_that_could_not_be_is_refused_before_anything_is_made(
    config: dict[str, str], complaint: str
) -> None:
    engine = Engine()
    with pytest.raises(pulumi.RunError) as refused:
        engine.run(config)
    assert complaint in str(refused.value)
    assert engine.resources == {}
