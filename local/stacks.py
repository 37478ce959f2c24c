"""Create, update, wait for and delete CloudFormation stacks. All raise what boto3 raises."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from deployment.errors import UserError
from deployment.ownership import Deployment, find_stack
from local.api import client
from local.project import DEPLOYMENT

MINUTES = 10  # time limit of a stack that has none of its own
DELETION = 60  # seconds; here a deletion takes less than one
# An interrupted run leaves a stack in one of these states, and the stack can only be deleted.
BROKEN = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


def list_stacks(endpoint: str) -> list[dict[str, Any]]:
    """Return the deployment's stacks as the API describes them."""
    return Deployment(DEPLOYMENT).list_stacks(client(endpoint, "cloudformation"))


def bring_up(cloudformation: Any, request: dict[str, Any], minutes: int = MINUTES) -> str:
    """Create or update a stack and wait for it; return "created", "updated" or "unchanged".

    minutes: the stack's time limit, which no wait inside of it passes. A creation that fails leaves
    nothing. Raises UserError with the reason if the stack fails.
    """
    name = request["StackName"]
    stack = wait_until_settled(cloudformation, name, minutes)
    if stack and stack["StackStatus"] in BROKEN:
        delete(cloudformation, name)
        stack = {}
    if not stack:
        stack_id = cloudformation.create_stack(**request, OnFailure="DELETE")["StackId"]
        _check(cloudformation, stack_id, "CREATE_COMPLETE", minutes)
        return "created"
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return "unchanged"
        raise
    _check(cloudformation, stack["StackId"], "UPDATE_COMPLETE", minutes)
    return "updated"


def wait_until_settled(cloudformation: Any, name: str, minutes: int = MINUTES) -> dict[str, Any]:
    """Return the stack when nothing is in progress; {} if there is none."""
    # A minute longer than the stack: it knows the reason, and needs time to delete itself.
    return _wait_for(
        cloudformation,
        name,
        lambda status: not status.endswith("_IN_PROGRESS"),
        60 * minutes + 60,
    )


def delete(cloudformation: Any, name: str) -> None:
    """Delete the stack and wait for it. Raises UserError if the stack stays."""
    cloudformation.delete_stack(StackName=name)
    stack = _wait_for(cloudformation, name, lambda status: status == "DELETE_FAILED", DELETION)
    if stack:
        raise UserError(
            f"stack {name} cannot be deleted: {stack.get('StackStatusReason', '?')} "
            "(make leftovers lists what may be in the way)"
        )


def _wait_for(
    cloudformation: Any, name: str, is_wanted: Callable[[str], bool], timeout: float
) -> dict[str, Any]:
    """Return the stack when its status is a wanted one; {} when there is no stack.

    Raises UserError, with the resources that the stack waits for, after the timeout in seconds.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        stack = find_stack(cloudformation, name)
        if not stack or is_wanted(stack["StackStatus"]):
            return stack
        time.sleep(0.1)
    latest: dict[str, str] = {}
    # The API returns the latest event first.
    for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]:
        latest.setdefault(event["LogicalResourceId"], event["ResourceStatus"])
    waiting = [f"{id_} {status}" for id_, status in latest.items() if "IN_PROGRESS" in status]
    raise UserError(f"stack {name} is not done after {timeout:g} s: {', '.join(waiting)}")


def _check(cloudformation: Any, stack_id: str, expected: str, minutes: int) -> None:
    """Wait for the stack. Raises UserError with the first reason unless it gets that status."""
    if wait_until_settled(cloudformation, stack_id, minutes).get("StackStatus") == expected:
        return
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    failures = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    # The API returns the latest event first.
    first = failures[-1] if failures else {}
    name = stack_id.split("/")[1] if "/" in stack_id else stack_id
    raise UserError(
        f"stack {name} failed and was rolled back: {first.get('LogicalResourceId', '?')}: "
        f"{first.get('ResourceStatusReason', 'no reason given')}\n"
        "The previous release is still serving. Fix the cause and run make up again."
    )
