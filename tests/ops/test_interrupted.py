"""A release that is cut off at one of six moments is completed.

Either make repair and pulumi up complete it, or make up does.

The program runs in this process, with a state as Pulumi's engine keeps it, against the emulator. A
cut is an exception. CloudFormation continues after a cut, as after a second Ctrl-C.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import MockResourceArgs

from deployment.errors import UserError
from deployment.ownership import Deployment
from deployment.state import STACK, compare, find_fault, list_resources
from local import program, stacks
from local.deployer import Deployer
from local.project import DEPLOYMENT
from ops import repair
from ops.target import get_local_target
from tests.cfn.permissions.emulator import Emulator
from tests.cfn.permissions.signals import hosts_signal
from tests.support.deployed import archives
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
URN = f"urn:pulumi:local::timeservice::{STACK}::"


class Cut(UserError):
    """The process ends here."""


class CutClient:
    """CloudFormation's client, which fails before or after a call that is about a part."""

    def __init__(self, client: Any, call: str, part: str, is_before: bool) -> None:
        self.client, self.call, self.part, self.is_before = client, call, part, is_before

    def __getattr__(self, name: str) -> Any:
        def call(StackName: str, **request: Any) -> Any:
            is_cut = name == self.call and f"{DEPLOYMENT}-{self.part}" in StackName
            if is_cut and self.is_before:
                raise Cut
            response = getattr(self.client, name)(StackName=StackName, **request)
            if is_cut:
                raise Cut
            return response

        if name in ("create_stack", "update_stack", "delete_stack"):
            return call
        return getattr(self.client, name)


class Engine(Deployer):
    """The local deployer, with a state: an operation is pending until it has succeeded.

    unwritten: the part whose creation succeeds, and whose result is not written.
    """

    def __init__(self, url: str, state: dict[str, Any], unwritten: str = "") -> None:
        super().__init__(url)
        self.state, self.unwritten = state["deployment"], unwritten

    def find(self, urn: str) -> dict[str, Any] | None:
        return next((item for item in self.state["resources"] if item["urn"] == urn), None)

    def begin(self, kind: str, resource: dict[str, Any]) -> None:
        operation = {"type": kind, "resource": copy.deepcopy(resource)}
        self.state["pending_operations"].append(operation)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ != STACK:
            return super().new_resource(args)
        urn, dependencies = URN + args.name, [item["urn"] for item in self.state["resources"]]
        known = self.find(urn)
        resource = {"urn": urn, "custom": True, "type": STACK, "inputs": dict(args.inputs)}
        resource["dependencies"] = known["dependencies"] if known else dependencies
        self.begin("updating" if known else "creating", resource)
        identity, outputs = super().new_resource(args)
        if self.unwritten and args.name.startswith(self.unwritten):
            self.failure = Cut()
            raise self.failure
        self.state["pending_operations"].pop()
        record = known or resource
        record |= {"id": identity, "inputs": dict(args.inputs), "outputs": outputs}
        if not known:
            self.state["resources"].append(record)
        return identity, outputs

    def delete_undeclared(self) -> None:
        for resource in reversed(list(self.state["resources"])):
            if resource["inputs"]["name"] not in self.stacks:
                self.begin("deleting", resource)
                stacks.delete(self.cloudformation, resource["id"])
                self.state["pending_operations"].pop()
                self.state["resources"].remove(resource)


class Pulumi:
    """The pulumi CLI's commands that a repair uses."""

    def __init__(self, url: str, state: dict[str, Any]) -> None:
        self.url, self.state = url, state

    def export(self, _: str) -> dict[str, Any]:
        return copy.deepcopy(self.state)

    def run(self, command: str, *arguments: str) -> str:
        if command == "stack":
            self.state = json.loads(Path(arguments[-1]).read_text())
            self.state["deployment"]["pending_operations"] = []
        else:
            assert command == "refresh"
            present = {stack["StackId"] for stack in find_stacks(self.url)}
            resources = self.state["deployment"]["resources"]
            resources[:] = [item for item in resources if item["id"] in present]
        return ""


def find_stacks(url: str) -> list[dict[str, Any]]:
    client = get_local_target(url).client("cloudformation")
    return Deployment(DEPLOYMENT).list_stacks(client)


def find_hosts(url: str) -> list[str]:
    return [stack["StackName"] for stack in find_stacks(url) if "-hosts-" in stack["StackName"]]


def update(engine: Engine) -> None:
    program.run(engine, {})


@pytest.fixture
def state(emulator: Emulator, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The state of a deployment whose only release serves."""
    state = {"version": 3, "deployment": {"resources": [], "pending_operations": []}}
    with archives(tmp_path), hosts_signal(emulator):
        update(Engine(emulator.url, state))
    yield state
    for stack in reversed(find_stacks(emulator.url)):
        stacks.delete(emulator.client("cloudformation"), stack["StackId"])


@pytest.fixture
def run_repair(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Repair the state, and return it."""

    def run_repair(state: dict[str, Any]) -> dict[str, Any]:
        pulumi = Pulumi(emulator.url, state)
        monkeypatch.setattr(repair, "export_state", pulumi.export)
        monkeypatch.setattr(repair, "run_pulumi", pulumi.run)
        target = get_local_target(emulator.url)
        monkeypatch.setattr(repair, "_find_target", lambda _: target)
        monkeypatch.setattr(repair, "POLL", 0.01)
        monkeypatch.setattr("builtins.input", lambda _: "yes")
        assert repair.repair(argparse.Namespace(stack="local")) == 0
        return pulumi.state

    return run_repair


# The call, its part, whether the cut comes before the call, and what the program then reports.
MOMENTS = {
    "before the hosts' stack exists": ("create_stack", "hosts", True, None),
    "while it is created": ("create_stack", "hosts", False, "still changing"),
    "before the state has it": ("", "hosts", False, "Pulumi's state lacks it"),
    "while it is updated": ("update_stack", "healthcheck", False, None),
    "before the deletion": ("delete_stack", "hosts", True, None),
    "while it is deleted": ("delete_stack", "hosts", False, "and CloudFormation lacks it"),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("by", ["make repair and pulumi up", "make up"])
def test_a_release_that_was_cut_off_is_completed(
    moment: str,
    by: str,
    emulator: Emulator,
    state: dict[str, Any],
    run_repair: Callable[[dict[str, Any]], dict[str, Any]],
    tmp_path: Path,
) -> None:
    call, part, is_before, fault = MOMENTS[moment]
    (old,) = find_hosts(emulator.url)
    engine = Engine(emulator.url, state, "" if call else part)
    engine.cloudformation = CutClient(engine.cloudformation, call, part, is_before)
    with archives(tmp_path, image="3"):
        # Without signals, a creation that is cut off is still in progress.
        if moment == "while it is created":
            with pytest.raises(Cut):
                update(engine)
        else:
            with hosts_signal(emulator), pytest.raises(Cut):
                update(engine)
        if moment == "while it is deleted":
            wait_until(lambda: old not in find_hosts(emulator.url))
        assert len(state["deployment"]["pending_operations"]) == 1
        found = find_stacks(emulator.url)
        said = find_fault(compare(state, found), list_resources(state), "prod")
        assert said is None if fault is None else fault in str(said)
        serving = set(find_hosts(emulator.url))
        assert moment == "while it is deleted" or old in serving
        with hosts_signal(emulator):
            if by == "make up":
                program.run(Deployer(emulator.url), {})
            else:
                state = run_repair(state)
                # All that serves is still there, and no host serves whose release is not tracked.
                assert set(find_hosts(emulator.url)) == serving
                assert not any(compare(state, find_stacks(emulator.url)))
                assert not repair.list_pending(state)
                update(Engine(emulator.url, state))
                assert not any(compare(state, find_stacks(emulator.url)))
        (new,) = find_hosts(emulator.url)
        assert new != old
