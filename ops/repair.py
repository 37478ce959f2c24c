"""Bring Pulumi's state in line with CloudFormation: `python -m ops.repair` (make repair).

When an update is interrupted, CloudFormation continues, and Pulumi's state lacks the stacks that it
then makes. This command waits until CloudFormation is done, prints its plan, and asks for a
confirmation. It adds each missing stack to the state. The next `pulumi up` keeps or deletes that
stack, in the right order. The command deletes each stack whose creation failed, unless serving
hosts may need it. It also deletes the empty stack of a change set that nobody executed. Finally it
runs `pulumi refresh`, which corrects the state of all other resources, and asks too.

Exit codes: 0 done, 1 not all was done, 2 wrong usage, 3 requests to AWS or Pulumi fail,
CloudFormation is not done, or nobody can confirm.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

from deployment.errors import UserError
from deployment.ownership import REVIEW, Deployment, outputs_of, parameters_of, parse_tags
from deployment.state import (
    STACK,
    compare,
    export_state,
    list_resources,
    run_pulumi,
)
from local.project import PROJECT, read_config
from local.project import STACK as LOCAL
from local.stacks import BROKEN, delete
from ops.target import Target, get_local_target, get_target, run

LOGIN = "aws:iam/userLoginProfile:UserLoginProfile"
# Seconds between two looks at AWS.
POLL = 5.0
# Seconds that CloudFormation may take. Pulumi gives a stack 50 minutes at most.
PATIENCE = 3600

Stacks = list[dict[str, Any]]


class Plan(NamedTuple):
    """What to do about each difference.

    added, deleted, kept: stacks that Pulumi's state lacks, as CloudFormation's API describes them.
    gone: names of stacks that the state alone has. pending: its interrupted operations.
    """

    added: Stacks
    deleted: Stacks
    kept: Stacks
    gone: list[str]
    pending: list[dict[str, Any]]

    def __str__(self) -> str:
        lines = [
            *_format("Pulumi's state gets", self.added),
            *_format("CloudFormation deletes", self.deleted),
            *_format(
                "hosts that serve may need it, so release, then delete it by hand:", self.kept
            ),
            *(
                f"pulumi refresh removes from the state, because it is gone: {name}"
                for name in self.gone
            ),
            *(
                f"the state forgets an interrupted operation: {item['type']} "
                f"{item['resource']['urn'].split('::')[-1]}"
                for item in self.pending
            ),
        ]
        return "\n".join(f"  {line}" for line in lines) or "  no stack differs"


def _format(action: str, stacks: Stacks) -> list[str]:
    return [f"{action} {stack['StackName']} ({stack['StackStatus']})" for stack in stacks]


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.repair", __doc__, argv, repair, needs_stack=True)


def repair(args: argparse.Namespace) -> int:
    """Repair the state; return the exit code. Raises UserError, and what boto3 raises."""
    target = _find_target(args)
    stacks = wait_until_settled(target)
    state = export_state(args.stack)
    plan = make_plan(state, stacks, target.deployment)
    print(f"Pulumi's state and CloudFormation:\n{plan}", flush=True)
    if plan.added or plan.deleted or plan.pending:
        try:
            reply = input("Do this? Type yes: ")
        except EOFError:
            raise UserError(
                "make repair asks for a confirmation, and its input has ended: run it in a terminal"
            ) from None
        if reply != "yes":
            print("Nothing was changed.")
            return 1
        change(target, plan, state, args.stack)
        # The import also removes the interrupted operations from the state.
        with NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(state, file)
            file.flush()
            run_pulumi("stack", "import", "--stack", args.stack, "--file", file.name)
    run_pulumi("refresh", "--stack", args.stack)
    print("Next: pulumi up")
    return 1 if plan.kept else 0


def _find_target(args: argparse.Namespace) -> Target:
    """Return the deployment of the Pulumi stack. The stack `local` has the local API's address."""
    if args.stack == LOCAL:
        endpoints = read_config(args.stack)["aws:endpoints"]
        return get_local_target(endpoints[0]["cloudformation"])
    return get_target(args)


def wait_until_settled(target: Target) -> Stacks:
    """Return the deployment's stacks when CloudFormation is done with all. Raises UserError."""
    shown: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while True:
        stacks = Deployment(target.deployment).list_stacks(target.client("cloudformation"))
        busy = compare({}, stacks).busy
        if not busy:
            return stacks
        if time.monotonic() > deadline:
            raise UserError(
                f"CloudFormation is still changing {', '.join(busy)}. Look for the reason, and run "
                "make repair again when it is done: aws cloudformation describe-stack-events "
                f"--region {target.region} --stack-name {busy[0]}"
            )
        if busy != shown:
            print(f"waiting for CloudFormation, up to an hour: {', '.join(busy)}", flush=True)
            shown = busy
        time.sleep(POLL)


def make_plan(state: Mapping[str, Any], stacks: Stacks, deployment: str) -> Plan:
    """Return what to do about stacks that CloudFormation does not change at present."""
    comparison = compare(state, stacks)
    plan = Plan([], [], [], comparison.gone, list_pending(state))
    for stack in comparison.untracked:
        if stack["StackStatus"] not in BROKEN:
            plan.added.append(stack)
        elif stack["StackStatus"] != REVIEW and _may_be_needed(
            stack["StackName"], stacks, deployment
        ):
            plan.kept.append(stack)
        else:
            plan.deleted.append(stack)
    return plan


def list_pending(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the operations that were interrupted, each with its type and its resource."""
    return list((state.get("deployment") or {}).get("pending_operations") or [])


def _may_be_needed(name: str, stacks: Stacks, deployment: str) -> bool:
    """Return whether hosts that serve may need a stack whose creation or deletion failed."""
    hosts = [stack for stack in stacks if stack["StackName"].startswith(f"{deployment}-hosts-")]
    if name.startswith(f"{deployment}-hosts-"):
        return all(stack["StackStatus"] in BROKEN for stack in hosts)
    base = [f"{deployment}-{part}" for part in ("artifacts", "network", "balancer")]
    return name in base and bool(hosts)


def change(target: Target, plan: Plan, state: dict[str, Any], pulumi_stack: str) -> None:
    """Do what the plan says: on AWS, and in the state. Raises UserError, and what boto3 raises."""
    cloudformation, iam = target.client("cloudformation"), target.client("iam")
    # A stack uses older ones alone, so the newest is deleted first.
    for stack in reversed(plan.deleted):
        delete(cloudformation, stack["StackId"], PATIENCE // 60, POLL)
    for operation in plan.pending:
        if operation["resource"]["type"] == LOGIN and operation["type"] == "creating":
            # Nobody knows the user's password, and IAM makes no second one.
            with suppress(iam.exceptions.NoSuchEntityException):
                iam.delete_login_profile(UserName=operation["resource"]["inputs"]["user"])
    for stack in plan.added:
        template = target.get_template(stack["StackId"])
        resource = stack["StackName"].removeprefix(f"{target.deployment}-")
        urn = f"urn:pulumi:{pulumi_stack}::{PROJECT['name']}::{STACK}::{resource}"
        add(state, urn, stack, template)


def add(state: dict[str, Any], urn: str, stack: Mapping[str, Any], template: str) -> None:
    """Add a stack to Pulumi's state, as the engine would have recorded it.

    The state may have an interrupted creation of it, or a record of an older stack of its name.
    """
    content = state["deployment"] = state.get("deployment") or {}
    resources = content["resources"] = list_resources(state)
    known = [item for item in resources if item["urn"] == urn and not item.get("delete")]
    pending = [item["resource"] for item in list_pending(state) if item["resource"]["urn"] == urn]
    record = next(iter([*known, *pending]), None) or _make_record(resources, urn, stack, template)
    record["id"] = stack["StackId"]
    record["outputs"] = {**record["inputs"], "id": record["id"], "outputs": outputs_of(stack)}
    if not known:
        resources.append(record)


def _make_record(
    resources: Stacks, urn: str, stack: Mapping[str, Any], template: str
) -> dict[str, Any]:
    """Return a resource of Pulumi's state, without its id and outputs."""
    others = [item for item in resources if not item["type"].startswith("pulumi:")]
    record = {
        "urn": urn,
        "custom": True,
        "type": STACK,
        "inputs": {
            "name": stack["StackName"],
            "templateBody": template,
            "parameters": parameters_of(stack),
            "capabilities": stack.get("Capabilities", []),
            "tags": parse_tags(stack.get("Tags")),
            "onFailure": "DELETE",
        },
        # The stack was made after all of these. So Pulumi deletes it before them.
        "dependencies": list(dict.fromkeys(item["urn"] for item in others)),
    }
    for item in resources:
        if item["type"] == "pulumi:pulumi:Stack":
            record["parent"] = item["urn"]
        if item["type"] == STACK and "provider" in item:
            record["provider"] = item["provider"]
    return record


if __name__ == "__main__":
    raise SystemExit(main())
