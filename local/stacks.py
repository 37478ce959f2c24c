"""Create, update, wait for and delete CloudFormation stacks. All raise what boto3 raises."""

import time
from typing import Any

from botocore.exceptions import ClientError

from deployment.errors import UserError
from deployment.ownership import REVIEW, Deployment, find_stack, is_busy
from local.api import client
from local.project import DEPLOYMENT

# The time limit of a stack that has none of its own.
MINUTES = 10
# Seconds between two looks, in the local cloud.
POLL = 0.1
# An interrupted run leaves a stack in one of these states, and the stack can only be deleted.
BROKEN = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", REVIEW)


def list_stacks(endpoint: str) -> list[dict[str, Any]]:
    """Return the deployment's stacks as the API describes them."""
    return Deployment(DEPLOYMENT).list_stacks(client(endpoint, "cloudformation"))


def bring_up(
    cloudformation: Any, request: dict[str, Any], minutes: int = MINUTES
) -> tuple[str, dict[str, Any]]:
    """Create or update a stack and wait for it; return what was done, and the stack.

    What was done: "created", "updated" or "unchanged". minutes: time limit of the whole stack;
    waits inside it must be shorter. A creation that fails leaves nothing. Raises UserError with the
    reason if the stack fails.
    """
    name = request["StackName"]
    stack = wait_until_settled(cloudformation, name, minutes)
    if stack and stack["StackStatus"] in BROKEN:
        delete(cloudformation, name)
        stack = {}
    if not stack:
        stack_id = cloudformation.create_stack(**request, OnFailure="DELETE")["StackId"]
        return "created", _wait_for(cloudformation, stack_id, "CREATE_COMPLETE", minutes)
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return "unchanged", stack
        raise
    return "updated", _wait_for(cloudformation, stack["StackId"], "UPDATE_COMPLETE", minutes)


def delete(cloudformation: Any, name: str, minutes: int = 1, poll: float = POLL) -> None:
    """Delete the stack and wait for it. Raises UserError if the stack stays."""
    cloudformation.delete_stack(StackName=name)
    # AWS may still return the state before.
    time.sleep(poll)
    stack = wait_until_settled(cloudformation, name, minutes, poll)
    if stack:
        raise UserError(
            f"stack {stack['StackName']} cannot be deleted: {stack.get('StackStatusReason', '?')}. "
            "Remove what is in the way (make leftovers, on AWS with STACK=NAME, lists it), and run "
            "the command again"
        )


def wait_until_settled(
    cloudformation: Any, name: str, minutes: int = MINUTES, poll: float = POLL
) -> dict[str, Any]:
    """Return the stack when nothing is in progress; {} if there is none.

    name: its name or its id. poll: seconds between two looks. Raises UserError, with the resources
    that the stack waits for, a minute after its time limit: the stack knows the reason, and needs
    time to delete itself.
    """
    seconds = 60 * minutes + 60
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        stack = find_stack(cloudformation, name)
        if not stack or not is_busy(stack):
            return stack
        time.sleep(poll)
    latest: dict[str, str] = {}
    # The API returns the latest event first.
    for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]:
        latest.setdefault(event["LogicalResourceId"], event["ResourceStatus"])
    waiting = [f"{id_} {status}" for id_, status in latest.items() if "IN_PROGRESS" in status]
    raise UserError(
        f"stack {name} is not done after {seconds} s, and waits for "
        f"{', '.join(waiting) or 'nothing that it names'}; in the local cloud, make logs shows "
        "what hosts do"
    )


def _wait_for(cloudformation: Any, stack_id: str, status: str, minutes: int) -> dict[str, Any]:
    """Return the stack when it has that status. Raises UserError with the first reason if not."""
    stack = wait_until_settled(cloudformation, stack_id, minutes)
    if stack.get("StackStatus") == status:
        return stack
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    failures = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    # The API returns the latest event first.
    first = failures[-1] if failures else {}
    raise UserError(
        f"stack {stack_id.split('/')[1]} failed and was rolled back: "
        f"{first.get('LogicalResourceId', '?')}: "
        f"{first.get('ResourceStatusReason', 'no reason given')}\n"
        "An earlier release, if there is one, still serves. Fix the cause and run make up again"
    )
