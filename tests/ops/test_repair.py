"""make repair: what CloudFormation has and Pulumi's state lacks, after an update was cut off."""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployment.errors import UserError
from deployment.ownership import Deployment
from deployment.state import STACK, compare, list_resources
from local import project
from ops import repair
from ops.target import Target, get_local_target
from tests.support.deployed import api
from tests.support.recorded import OLD, ORPHAN, describe, load_state

PROD = "timeservice-prod"
HOSTS = f"{PROD}-hosts-{ORPHAN}"
URN = f"urn:pulumi:prod::timeservice::{STACK}::hosts-{ORPHAN}"


def plan(state: dict[str, Any], stacks: list[dict[str, Any]]) -> repair.Plan:
    return repair.make_plan(state, stacks, PROD)


def names(stacks: list[dict[str, Any]]) -> list[str]:
    return [stack["StackName"] for stack in stacks]


def test_a_release_that_cloudformation_has_completed_is_added() -> None:
    state = load_state()
    made = plan(state, describe(state))
    assert (names(made.added), made.deleted, made.kept, made.gone) == ([HOSTS], [], [], [])
    assert str(made) == (
        f"  Pulumi's state gets {HOSTS} (CREATE_COMPLETE)\n"
        f"  the state forgets an interrupted operation: creating hosts-{ORPHAN}"
    )


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_release_that_failed_is_deleted_beside_one_that_serves(status: str) -> None:
    state = load_state()
    made = plan(state, describe(state, {f"hosts-{ORPHAN}": status}))
    assert (made.added, names(made.deleted), made.kept) == ([], [HOSTS], [])


def test_the_only_release_is_never_deleted() -> None:
    state = load_state()
    statuses = {f"hosts-{ORPHAN}": "DELETE_FAILED", f"hosts-{OLD}": "DELETE_FAILED"}
    made = plan(state, describe(state, statuses))
    assert (made.added, made.deleted, names(made.kept)) == ([], [], [HOSTS])
    assert f"hosts that serve may need it, so release, then delete it by hand: {HOSTS}" in str(made)


@pytest.mark.parametrize("part", ["artifacts", "network", "balancer"])
@pytest.mark.parametrize("with_hosts", [True, False])
def test_what_hosts_need_is_deleted_only_without_hosts(part: str, with_hosts: bool) -> None:
    """The state was lost, so Pulumi tracks none of the stacks."""
    stacks = describe(load_state(), {part: "DELETE_FAILED"})
    if not with_hosts:
        stacks = [stack for stack in stacks if "-hosts-" not in stack["StackName"]]
    made = plan({"deployment": None}, stacks)
    assert (names(made.kept), names(made.deleted)) == (
        ([f"{PROD}-{part}"], []) if with_hosts else ([], [f"{PROD}-{part}"])
    )


def test_a_healthcheck_that_failed_is_deleted() -> None:
    made = plan({"deployment": None}, describe(load_state(), {"healthcheck": "ROLLBACK_COMPLETE"}))
    assert names(made.deleted) == [f"{PROD}-healthcheck"]


@pytest.mark.parametrize("part", ["network", f"hosts-{OLD}"])
def test_the_stack_of_a_change_set_is_deleted_also_beside_hosts(part: str) -> None:
    """The stack has no resources, and stays in review until somebody executes the change set."""
    stacks = describe(load_state(), {part: "REVIEW_IN_PROGRESS"})
    assert compare({}, stacks).busy == []
    made = plan({"deployment": None}, stacks)
    assert (names(made.deleted), made.kept) == ([f"{PROD}-{part}"], [])


def test_operations_of_all_kinds_may_be_interrupted_at_once() -> None:
    state = load_state()
    for kind, part in (("updating", "balancer"), ("deleting", f"hosts-{OLD}")):
        urn = f"urn:pulumi:prod::timeservice::{STACK}::{part}"
        (resource,) = [item for item in list_resources(state) if item["urn"] == urn]
        state["deployment"]["pending_operations"].append({"type": kind, "resource": resource})
    stacks = [stack for stack in describe(load_state()) if not stack["StackName"].endswith(OLD)]
    assert str(plan(state, stacks)).splitlines() == [
        f"  Pulumi's state gets {HOSTS} (CREATE_COMPLETE)",
        f"  pulumi refresh removes from the state, because it is gone: {PROD}-hosts-{OLD}",
        f"  the state forgets an interrupted operation: creating hosts-{ORPHAN}",
        "  the state forgets an interrupted operation: updating balancer",
        f"  the state forgets an interrupted operation: deleting hosts-{OLD}",
    ]


def test_a_creation_that_left_nothing_is_forgotten() -> None:
    state = load_state()
    stacks = [stack for stack in describe(state) if stack["StackName"] != HOSTS]
    made = plan(state, stacks)
    assert (made.added, made.deleted, made.kept, len(made.pending)) == ([], [], [], 1)


def test_a_state_in_line_changes_nothing() -> None:
    state = load_state()
    del state["deployment"]["pending_operations"]
    stacks = [stack for stack in describe(state) if stack["StackName"] != HOSTS]
    assert str(plan(state, stacks)) == "  no stack differs"


def test_an_added_stack_is_recorded_as_its_interrupted_creation_would_have_been() -> None:
    state = load_state()
    pending = state["deployment"]["pending_operations"][0]["resource"]
    (stack,) = [stack for stack in describe(state) if stack["StackName"] == HOSTS]
    repair.add(state, URN, stack, "template")
    record = list_resources(state)[-1]
    assert record["id"] == stack["StackId"]
    assert record["outputs"]["outputs"] == {"Release": ORPHAN}
    for key in ("inputs", "dependencies", "provider", "customTimeouts", "parent"):
        assert record[key] == pending[key], key
    assert compare(state, describe(state)).untracked == []


def test_a_stack_without_a_record_is_deleted_before_all_that_was_there() -> None:
    """Pulumi has forgotten the interrupted creation already."""
    state = load_state()
    (stack,) = [stack for stack in describe(state) if stack["StackName"] == HOSTS]
    del state["deployment"]["pending_operations"]
    repair.add(state, URN, stack, "template")
    record = list_resources(state)[-1]
    assert record["dependencies"] == [
        item["urn"] for item in load_state()["deployment"]["resources"][2:]
    ]
    like = list_resources(state)[2]
    assert (record["provider"], record["parent"]) == (like["provider"], like["parent"])
    assert record["inputs"] == {
        "name": HOSTS,
        "templateBody": "template",
        "parameters": {"Release": ORPHAN},
        "capabilities": [],
        "tags": {"deployment": PROD},
        "onFailure": "DELETE",
    }


def test_a_stack_that_was_made_anew_replaces_its_record() -> None:
    state = load_state()
    urn = f"urn:pulumi:prod::timeservice::{STACK}::network"
    (stack,) = [stack for stack in describe(state) if stack["StackName"].endswith("-network")]
    repair.add(state, urn, stack | {"StackId": "arn:new"}, "template")
    found = [item for item in list_resources(state) if item["urn"] == urn]
    assert [item["id"] for item in found] == ["arn:new"]


def test_a_password_that_nobody_knows_is_deleted() -> None:
    """IAM would refuse to make a second password."""
    deleted: list[str] = []

    class NotThere(Exception):
        pass

    def delete(UserName: str) -> None:
        deleted.append(UserName)
        raise NotThere

    client = SimpleNamespace(
        exceptions=SimpleNamespace(NoSuchEntityException=NotThere), delete_login_profile=delete
    )
    resource = {"type": repair.LOGIN, "urn": "urn::reviewer-login", "inputs": {"user": "reviewer"}}
    pending = [
        {"type": "creating", "resource": resource},
        {"type": "updating", "resource": {**resource, "inputs": {"user": "other"}}},
    ]
    target = Target(PROD, "eu-west-1", lambda _: client)
    repair.change(target, repair.Plan([], [], [], [], pending), {}, "prod")
    assert deleted == ["reviewer"]


def test_without_a_terminal_nothing_is_changed_and_nothing_is_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(repair, "get_target", lambda _: Target(PROD, "eu-west-1", print))
    monkeypatch.setattr(repair, "wait_until_settled", lambda _: describe(load_state()))
    monkeypatch.setattr(repair, "export_state", lambda _: load_state())
    monkeypatch.setattr(repair, "change", lambda *_: pytest.fail("it acts"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert repair.main(["--stack", "prod"]) == 3
    assert capsys.readouterr().err == (
        "\nerror: make repair asks for a confirmation, and its input has ended: run it in a "
        "terminal\n"
    )


PULUMI = """#!/bin/sh
echo "$*" >>calls
case $1-$2 in
stack-export) cat state.json ;;
stack-import) cp "$6" state.json ;;
esac
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with api(tmp_path_factory.mktemp("repair")) as url:
        yield url


@pytest.fixture
def run(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any], str], tuple[int, dict[str, Any], list[str]]]:
    """Repair the local deployment; return the exit code, the state then, and calls of pulumi.

    Takes the state and the answer to the question.
    """
    (tmp_path / "pulumi").write_text(PULUMI)
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setattr("deployment.state.ROOT", tmp_path)
    monkeypatch.setattr(repair, "POLL", 0.01)
    project.write_config(url, "http://10.0.0.1", "x86_64")

    def run(state: dict[str, Any], reply: str) -> tuple[int, dict[str, Any], list[str]]:
        (tmp_path / "state.json").write_text(json.dumps(state))
        (tmp_path / "calls").write_text("")
        monkeypatch.setattr("builtins.input", lambda _: reply)
        code = repair.repair(argparse.Namespace(stack="local", name="timeservice"))
        left = json.loads((tmp_path / "state.json").read_text())
        return code, left, (tmp_path / "calls").read_text().splitlines()

    return run


@pytest.mark.integration
def test_a_state_that_was_lost_is_made_again_from_what_is_deployed(
    url: str, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = {"version": 3, "deployment": {"manifest": {}, "resources": []}}
    code, state, calls = run(empty, "no")
    assert (code, state, len(calls)) == (1, empty, 1)
    assert capsys.readouterr().out.endswith("Nothing was changed.\n")
    code, state, calls = run(empty, "yes")
    assert code == 0
    assert calls[0] == "stack export --stack local"
    assert calls[1].startswith("stack import --stack local --file ")
    assert calls[2:] == ["refresh --stack local"]
    assert "Next: pulumi up" in capsys.readouterr().out
    cloudformation = get_local_target(url).client("cloudformation")
    stacks = Deployment("timeservice-local").list_stacks(cloudformation)
    assert len(stacks) == 6
    assert not any(compare(state, stacks))
    parts = [item["urn"].split("::")[-1].split("-")[0] for item in list_resources(state)]
    assert parts == ["artifacts", "network", "balancer", "hosts", "healthcheck", "reviewer"]


@pytest.mark.integration
def test_a_stack_that_failed_is_deleted_in_cloudformation(url: str, run: Any) -> None:
    cloudformation = get_local_target(url).client("cloudformation")
    _, state, _ = run({"version": 3, "deployment": {"resources": []}}, "yes")
    kind, handle = "AWS::CloudFormation::WaitCondition", {"Ref": "Handle"}
    resources = {
        "Handle": {"Type": f"{kind}Handle"},
        # Nobody signals, so the creation fails.
        "Condition": {"Type": kind, "Properties": {"Handle": handle, "Timeout": "1"}},
    }
    cloudformation.create_stack(
        StackName="timeservice-local-budget",
        TemplateBody=json.dumps({"Resources": resources}),
        OnFailure="DO_NOTHING",
    )
    code, after, _ = run(state, "yes")
    assert (code, after) == (0, state)
    stacks = Deployment("timeservice-local").list_stacks(cloudformation)
    assert "timeservice-local-budget" not in names(stacks)


@pytest.mark.integration
def test_the_stack_of_a_change_set_is_deleted_in_cloudformation(url: str, run: Any) -> None:
    cloudformation = get_local_target(url).client("cloudformation")
    _, state, _ = run({"version": 3, "deployment": {"resources": []}}, "yes")
    cloudformation.create_change_set(
        StackName="timeservice-local-budget",
        ChangeSetName="never-executed",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}),
    )
    code, after, _ = run(state, "yes")
    assert (code, after) == (0, state)
    stacks = Deployment("timeservice-local").list_stacks(cloudformation)
    assert "timeservice-local-budget" not in names(stacks)


def test_cloudformation_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = load_state()
    busy = describe(state, {f"hosts-{ORPHAN}": "CREATE_IN_PROGRESS"})
    moments = iter([busy, busy, describe(state)])
    monkeypatch.setattr(Deployment, "list_stacks", lambda *_: next(moments))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    target = Target(PROD, "eu-west-1", lambda _: None)
    assert repair.wait_until_settled(target) == describe(state)
    assert capsys.readouterr().out == f"waiting for CloudFormation, up to an hour: {HOSTS}\n"


def test_cloudformation_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = describe(load_state(), {f"hosts-{ORPHAN}": "CREATE_IN_PROGRESS"})
    now = [time.monotonic()]

    def sleep(_: float) -> None:
        now[0] += 600

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(Deployment, "list_stacks", lambda *_: busy)
    with pytest.raises(UserError) as refused:
        repair.wait_until_settled(Target(PROD, "eu-west-1", lambda _: None))
    assert str(refused.value) == (
        f"CloudFormation is still changing {HOSTS}. Look for the reason, and run make repair again "
        "when it is done: aws cloudformation describe-stack-events --region eu-west-1 "
        f"--stack-name {HOSTS}"
    )


def test_a_stack_is_deleted_before_those_that_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    deleted: list[str] = []
    client = SimpleNamespace(
        delete_stack=lambda StackName: deleted.append(StackName.split("/")[1]),
        describe_stacks=lambda StackName: {"Stacks": [{"StackStatus": "DELETE_COMPLETE"}]},
    )
    stacks = describe(load_state())[:3]
    failed = repair.Plan([], stacks, [], [], [])
    repair.change(Target(PROD, "eu-west-1", lambda _: client), failed, {}, "prod")
    assert (
        deleted
        == names(stacks)[::-1]
        == [f"{PROD}-{part}" for part in ("balancer", "network", "artifacts")]
    )


def test_a_stack_that_cannot_be_deleted_is_reported_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[float] = []
    monkeypatch.setattr(time, "sleep", looks.append)
    (stack,) = describe(load_state())[:1]
    reason = "The following resource(s) failed to delete: [Bucket]"
    states = [
        {"StackStatus": "DELETE_IN_PROGRESS"},
        {"StackStatus": "DELETE_FAILED", "StackStatusReason": reason},
    ]
    client = SimpleNamespace(
        delete_stack=lambda **_: None,
        describe_stacks=lambda StackName: {"Stacks": [stack | states.pop(0)]},
    )
    failed = repair.Plan([], [stack], [], [], [])
    with pytest.raises(UserError, match=r"cannot be deleted: .*\[Bucket\]\. .*make leftovers"):
        repair.change(Target(PROD, "eu-west-1", lambda _: client), failed, {}, "prod")
    # AWS limits how often it may be asked.
    assert looks == [repair.POLL] * 2


@pytest.mark.integration
@pytest.mark.skipif(not shutil.which("pulumi"), reason="the pulumi CLI is not on PATH")
def test_the_pulumi_cli_takes_the_state_that_a_repair_makes(tmp_path: Path) -> None:
    environment = os.environ | {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    (tmp_path / "Pulumi.yaml").write_text("name: timeservice\nruntime: python\n")

    def pulumi(*arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    pulumi("stack", "init", "prod")
    for state in (load_state(), json.loads(pulumi("stack", "export", "--stack", "prod"))):
        for stack in plan(state, describe(load_state())).added:
            resource = stack["StackName"].removeprefix(f"{PROD}-")
            repair.add(state, URN.replace(f"hosts-{ORPHAN}", resource), stack, "template")
        (tmp_path / "state.json").write_text(json.dumps(state))
        pulumi("stack", "import", "--stack", "prod", "--file", str(tmp_path / "state.json"))
        taken = json.loads(pulumi("stack", "export", "--stack", "prod"))
        assert compare(taken, describe(load_state())).untracked == []
        assert not taken["deployment"].get("pending_operations")
