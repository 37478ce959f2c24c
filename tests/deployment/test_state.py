"""Pulumi's state is compared with CloudFormation before anything is made."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from deployment import state
from deployment.account import Account
from deployment.errors import UserError
from deployment.ownership import Deployment
from tests.support.engine import Engine
from tests.support.recorded import OLD, ORPHAN, describe, load_state

PROD = Deployment("timeservice-prod")
# The program runs as under a real engine.
ENGINE = {"local:withoutEngine": "false"}


def test_a_state_that_agrees_with_cloudformation_has_no_fault() -> None:
    recorded = load_state()
    stacks = [stack for stack in describe(recorded) if ORPHAN not in stack["StackName"]]
    found = state.compare(recorded, stacks)
    assert found == state.Comparison([], [], [])
    assert state.find_fault(found, state.list_resources(recorded), "prod") is None


def test_a_release_that_was_cut_off_is_refused_with_the_command() -> None:
    recorded = load_state()
    fault = state.find_fault(
        state.compare(recorded, describe(recorded)), state.list_resources(recorded), "prod"
    )
    assert fault == (
        f"CloudFormation has timeservice-prod-hosts-{ORPHAN}, and Pulumi's state lacks it\n"
        "An update was interrupted. Run: make repair STACK=prod"
    )


def test_a_stack_that_cloudformation_is_still_changing_is_refused() -> None:
    recorded = load_state()
    stacks = describe(recorded, {f"hosts-{OLD}": "UPDATE_IN_PROGRESS"})
    found = state.compare(recorded, stacks)
    assert found.busy == [f"timeservice-prod-hosts-{OLD}"]
    fault = state.find_fault(found, state.list_resources(recorded), "prod")
    assert fault is not None
    assert f"CloudFormation is still changing timeservice-prod-hosts-{OLD}\n" in fault


REFRESH = (
    "A creation failed, or a stack was deleted. "
    "Run: pulumi refresh --stack {0} && pulumi up --stack {0}"
)


@pytest.mark.parametrize(
    ("made_anew", "remedy"),
    [
        (False, REFRESH.format("prod")),
        (True, "An update was interrupted. Run: make repair STACK=prod"),
    ],
)
def test_a_stack_that_failed_or_was_deleted_is_refused_also_if_it_was_made_anew_by_hand(
    made_anew: bool, remedy: str
) -> None:
    recorded = load_state()
    stacks = [
        stack
        for stack in describe(recorded)
        if ORPHAN not in stack["StackName"] and not stack["StackName"].endswith("-network")
    ]
    if made_anew:
        stacks.append({"StackName": "timeservice-prod-network", "StackId": "x", "StackStatus": ""})
    found = state.compare(recorded, stacks)
    assert found.gone == ["timeservice-prod-network"]
    assert len(found.untracked) == made_anew
    lines = str(state.find_fault(found, state.list_resources(recorded), "prod")).splitlines()
    assert lines[-2:] == [
        "Pulumi's state has timeservice-prod-network, and CloudFormation lacks it",
        remedy,
    ]


def test_a_local_api_that_has_lost_everything_is_refused() -> None:
    recorded = load_state()
    found = state.compare(recorded, [])
    assert len(found.gone) == 5
    fault = state.find_fault(found, state.list_resources(recorded), "local")
    assert str(fault).endswith(REFRESH.format("local"))


@pytest.mark.parametrize(
    "deployment",
    [
        None,
        {"manifest": {}},
        {"resources": []},
        # Pulumi's own record of its stack, after an update that failed at once.
        {"resources": [{"type": "pulumi:pulumi:Stack"}]},
    ],
)
def test_a_stack_local_beside_make_up_is_refused_with_the_remedy(deployment: Any) -> None:
    empty = {"version": 3, "deployment": deployment}
    found = state.compare(empty, describe(load_state()))
    fault = state.find_fault(found, state.list_resources(empty), "local")
    assert str(fault).endswith(
        "\nIt was deployed by make up, without Pulumi. Run: make down && make cloud"
    )


class CloudFormation:
    """ListStacks and DescribeStacks."""

    def __init__(self, *stacks: dict[str, Any]) -> None:
        self.stacks = stacks

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_stacks"
        names = ("StackName", "StackId", "StackStatus")
        pages = [{"StackSummaries": [{key: stack[key] for key in names}]} for stack in self.stacks]
        search = lambda _: [item for page in pages for item in page["StackSummaries"]]  # noqa: E731
        return SimpleNamespace(paginate=lambda: SimpleNamespace(search=search))

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        return {"Stacks": [stack for stack in self.stacks if stack["StackId"] == StackName]}


def ask(cloudformation: CloudFormation) -> Account:
    return Account("eu-west-1", lambda _: cloudformation)


def make_stack(name: str, status: str = "CREATE_COMPLETE", tag: str = PROD.name) -> dict[str, Any]:
    made = datetime(2026, 11, 28, tzinfo=UTC) + timedelta(hours=len(name))
    return {
        "StackName": name,
        "StackId": f"arn:{name}:{status}",
        "StackStatus": status,
        "CreationTime": made,
        "Tags": [{"Key": "deployment", "Value": tag}],
    }


def test_stacks_of_the_deployment_are_listed_the_oldest_first() -> None:
    cloudformation = CloudFormation(
        make_stack("timeservice-prod-healthcheck"),
        make_stack("timeservice-prod-network"),
        make_stack("timeservice-prod-network", "DELETE_COMPLETE"),
        make_stack("timeservice-prod-deployer"),
        make_stack("timeservice-prod-balancer", tag="timeservice-other"),
        make_stack("timeservice-production-network"),
        make_stack("somebody-elses"),
    )
    stacks = PROD.list_stacks(cloudformation)
    network, deployer, healthcheck = [stack["StackName"] for stack in stacks]
    assert network == "timeservice-prod-network"
    assert deployer == "timeservice-prod-deployer"
    assert healthcheck == "timeservice-prod-healthcheck"
    untracked = state.compare({}, stacks).untracked
    assert [stack["StackName"] for stack in untracked] == [network, healthcheck]


@pytest.mark.usefixtures("archives")
def test_the_program_refuses_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    stacks: list[dict[str, Any]] = []
    monkeypatch.setattr(state, "get_account", lambda _: ask(CloudFormation(*stacks)))
    monkeypatch.setattr(state, "export_state", lambda _: {"deployment": {}})
    assert "hosts" in Engine().run(ENGINE).stacks()
    stacks.append(make_stack("timeservice-test-network", tag="timeservice-test"))
    engine = Engine()
    with pytest.raises(pulumi.RunError, match="Run: make repair STACK=test"):
        engine.run(ENGINE)
    assert engine.resources == {}


@pytest.mark.usefixtures("archives")
def test_a_state_that_cannot_be_read_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(state, "get_account", lambda _: ask(CloudFormation()))
    Engine().run(ENGINE)
    assert warned == [
        "Pulumi's state could not be compared with CloudFormation: the pulumi CLI is missing: "
        "install it from https://www.pulumi.com/docs/install/"
    ]


@pytest.mark.usefixtures("archives")
@pytest.mark.parametrize(
    "error",
    [NoCredentialsError(), ClientError({"Error": {"Code": "AccessDenied"}}, "ListStacks")],
    ids=lambda error: type(error).__name__,
)
def test_stacks_that_cannot_be_listed_are_a_warning(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> Any:
        raise error

    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    monkeypatch.setattr(state, "get_account", lambda _: Account("eu-west-1", refuse))
    assert "hosts" in Engine().run(ENGINE).stacks()
    assert warned == [f"Pulumi's state could not be compared with CloudFormation: {error}"]


@pytest.mark.usefixtures("archives")
def test_the_program_refuses_to_move_the_network_that_is_deployed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployed = {"SecondOctet": "42", "ZoneIndexA": "0", "ZoneIndexB": "1"}
    network = make_stack("timeservice-test-network", tag="timeservice-test")
    network["Parameters"] = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in deployed.items()
    ]
    resource = {
        "type": state.STACK,
        "id": network["StackId"],
        "inputs": {"name": network["StackName"]},
    }
    monkeypatch.setattr(state, "get_account", lambda _: ask(CloudFormation(network)))
    monkeypatch.setattr(state, "export_state", lambda _: {"deployment": {"resources": [resource]}})
    assert "hosts" in Engine().run(ENGINE).stacks()
    engine = Engine()
    with pytest.raises(pulumi.RunError, match="secondOctet is '7': cannot change"):
        engine.run(ENGINE | {"secondOctet": "7"})
    assert engine.resources == {}


@pytest.mark.usefixtures("archives")
def test_without_preflight_what_the_provider_alone_reads_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    config = ENGINE | {"aws:assumeRoles": '[{"roleArn": "arn"}]'}
    assert "hosts" in Engine().run(config).stacks()
    (warning,) = warned
    assert warning.startswith(
        "Pulumi's state could not be compared with CloudFormation: only Pulumi's provider reads "
        "aws:assumeRoles. Use a profile: "
    )


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo 'error: no stack named prod' >&2; exit 255", "failed: error: no stack named prod"),
        ("exit 1", "pulumi stack export --stack prod failed"),
    ],
)
def test_what_pulumi_complains_about_is_reported(
    script: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = tmp_path / "pulumi"
    stub.write_text(f"#!/bin/sh\n{script}\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UserError) as refused:
        state.export_state("prod")
    assert complaint in str(refused.value)


def test_the_state_is_what_pulumi_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> Any:
        assert command == ["pulumi", "stack", "export", "--stack", "prod"]
        # Nobody would see a question of pulumi's.
        assert options["stdin"] == subprocess.DEVNULL
        return SimpleNamespace(stdout=json.dumps(load_state()))

    monkeypatch.setattr(subprocess, "run", run)
    assert state.export_state("prod") == load_state()
