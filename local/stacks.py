"""CloudFormation stacks: made or brought up to date, waited for, and deleted. Each raises what boto3 raises as well."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from deployment.errors import UserError
from deployment.ownership import Deployment, outputs_of
from local.api import client
from local.project import DEPLOYMENT

TIMEOUT = 900  # seconds for one stack
DELETION = 60  # here it takes less than one
# What a run that was cut off may leave, and what can only be deleted.
BROKEN = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "DELETE_FAILED")


def deployed(endpoint: str) -> list[dict[str, Any]]:
    """The deployment's stacks, as the API describes them."""
    return Deployment(DEPLOYMENT).stacks(client(endpoint, "cloudformation"))


def bring_up(cloudformation: Any, request: dict[str, Any], on_failure: str) -> str:
    """Create or update a stack and wait for it; returns what was done. Raises UserError with the stack's reason."""
    name = request["StackName"]
    present = settled(cloudformation, name)
    if present and present["StackStatus"] in BROKEN:
        delete(cloudformation, name)
        present = {}
    if not present:
        made = cloudformation.create_stack(**request, OnFailure=on_failure)["StackId"]
        _check(cloudformation, made, "CREATE_COMPLETE")
        return "created"
    try:
        cloudformation.update_stack(**request)
    except ClientError as refused:
        if "No updates are to be performed" in str(refused):
            return "unchanged"
        raise
    _check(cloudformation, present["StackId"], "UPDATE_COMPLETE")
    return "updated"


def outputs(cloudformation: Any, name: str) -> dict[str, str]:
    return outputs_of(settled(cloudformation, name))


def settled(cloudformation: Any, name: str) -> dict[str, Any]:
    """The stack once it is at rest; {} if there is none."""
    return _awaited(cloudformation, name, lambda status: not status.endswith("_IN_PROGRESS"))


def delete(cloudformation: Any, name: str) -> None:
    """Returns when it has gone; raises UserError if it stays."""
    cloudformation.delete_stack(StackName=name)
    if left := _awaited(cloudformation, name, lambda status: status == "DELETE_FAILED", DELETION):
        raise UserError(
            f"stack {name} cannot be deleted: {left.get('StackStatusReason', '?')} "
            "(make leftovers names what is there, and may be in the way)"
        )


def _awaited(
    cloudformation: Any, name: str, over: Callable[[str], bool], timeout: float = TIMEOUT
) -> dict[str, Any]:
    """The stack when its status is one that is waited for; {} when there is none, or none any more."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as refused:
            if "does not exist" in str(refused):
                return {}
            raise
        if stack["StackStatus"] == "DELETE_COMPLETE":
            return {}
        if over(stack["StackStatus"]):
            return stack
        time.sleep(0.1)
    raise UserError(f"stack {name} did not come to rest within {timeout:g} s")


def _check(cloudformation: Any, stack_id: str, expected: str) -> None:
    if settled(cloudformation, stack_id).get("StackStatus") == expected:
        return
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    first = failed[-1] if failed else {}
    name = stack_id.split("/")[1] if "/" in stack_id else stack_id
    raise UserError(
        f"stack {name} failed and was rolled back: {first.get('LogicalResourceId', '?')}: "
        f"{first.get('ResourceStatusReason', 'no reason given')}\n"
        "What stood before stands still. Mend the cause and run make up again."
    )
