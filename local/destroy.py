"""Deletes a deployment through the API, in the order of `pulumi destroy`: each stack before those that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployment.bucket import empty
from deployment.ownership import Deployment
from deployment.template import PARTS
from local.reviewer import Logins
from local.stacks import delete
from local.steps import step


def destroy(
    client: Callable[[str], Any], deployment: Deployment, hosts_gone: Callable[[], None]
) -> None:
    """Delete each of the deployment's stacks, whatever state it is in, and nobody else's.

    hosts_gone: waits until the hosts have gone, as AWS does before it lets go of their group: the balancer that drains
    them must still be there. Raises UserError for a stack that stays, and what boto3 raises.
    """
    cloudformation, waiting = client("cloudformation"), True
    # A user goes only without its password.
    Logins(client("iam"), {}).delete_undeclared(f"/{deployment.name}-")
    for name in in_order(cloudformation, deployment):
        # What is left then needs no hosts; a deployment without a stack of theirs may have hosts that lost theirs.
        if waiting and _part(name, deployment) in PARTS[: PARTS.index("hosts")]:
            hosts_gone()
            waiting = False
        with step(f"stack {name}") as line:
            line.outcome = "deleted"
            if _part(name, deployment) == "artifacts" and (
                bucket := bucket_of(cloudformation, name)
            ):
                number = empty(client("s3"), bucket)
                line.outcome = f"deleted, with {number} objects in its bucket"
            delete(cloudformation, name)


def in_order(cloudformation: Any, deployment: Deployment) -> list[str]:
    """The names of its stacks, those that others use last; those that nobody uses and nobody knows are first."""
    ours = [one["StackName"] for one in deployment.stacks(cloudformation)]
    order = [*PARTS, ""]
    known = {name: part if (part := _part(name, deployment)) in PARTS else "" for name in ours}
    return sorted(ours, key=lambda name: order.index(known[name]), reverse=True)


def _part(name: str, deployment: Deployment) -> str:
    return name.removeprefix(f"{deployment.name}-").split("-")[0]


def bucket_of(cloudformation: Any, stack: str) -> str | None:
    """The bucket that the artifacts stack made; None if it has not come that far. No other is ever emptied."""
    for one in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
        if one["ResourceType"] == "AWS::S3::Bucket" and one["ResourceStatus"] != "DELETE_COMPLETE":
            return one.get("PhysicalResourceId") or None
    return None
