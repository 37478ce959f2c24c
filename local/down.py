"""make down: delete what is deployed through the API, then remove the local cloud."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployment.bucket import empty, find_bucket
from deployment.errors import UserError
from deployment.leftovers import find_leftovers
from deployment.ownership import Deployment
from local.api import REFUSALS, client_of, is_up
from local.containers import ROLES, Containers
from local.project import DEPLOYMENT
from local.reviewer import delete_passwords
from local.stacks import delete
from local.steps import step, wait_until

# Seconds: the target group's deregistration delay, and some rounds of the controller.
DRAINED = 45


def down(cloud: Containers, folder: Path) -> int:
    """Remove all of the deployment. Raises UserError if something stays."""
    cloud.check_owner()
    was_up = bool(cloud.leftovers())
    if was_up:
        delete_stacks(cloud)
        with step("containers, volumes, networks, images"):
            cloud.remove()
            cloud.remove_images()
    shutil.rmtree(folder, ignore_errors=True)
    if left := cloud.leftovers():
        raise UserError(
            f"these could not be removed: {', '.join(left)}. "
            "Something else uses them: remove that, and run make down again"
        )
    if was_up:
        print("Removed. The Docker engine stays installed.")
    else:
        print(f"Nothing to do: {cloud.name!r} is not up.")
    return 0


def delete_stacks(cloud: Containers) -> None:
    """Delete what is deployed through the API, as on AWS, and print what that leaves there.

    A failure is printed only, because everything goes with the containers in any case.
    """
    try:
        endpoint = cloud.endpoint()
        if not is_up(endpoint):
            raise UserError("the local AWS API does not respond")
        destroy(client_of(endpoint), Deployment(DEPLOYMENT), lambda: wait_for_hosts(cloud))
        with step("what the AWS API has left") as line:
            leftovers = find_leftovers(client_of(endpoint), DEPLOYMENT).leftovers
            line.outcome = ", ".join(f"{item.type} {item.id}" for item in leftovers) or "nothing"
    except (UserError, *REFUSALS) as error:
        print(f"  not deleted through the API, but with the containers: {error}")


def wait_for_hosts(cloud: Containers) -> None:
    """Wait until the controller has drained and removed the hosts whose groups are gone."""
    # Without one of these, no host would be removed.
    if not all(cloud.get_running(role) for role in ROLES):
        return
    with step("hosts, drained") as line:
        gone = wait_until(lambda: not cloud.machines(), DRAINED)
        line.outcome = "gone" if gone else "still there"


def destroy(
    client: Callable[[str], Any], deployment: Deployment, wait_until_drained: Callable[[], None]
) -> None:
    """Delete all stacks of the deployment, whatever their state, each before those that it uses.

    wait_until_drained: returns when the hosts have gone, because AWS waits for them too before it
    deletes their group. The balancer that drains them must still be there.
    Raises UserError for a stack or an object that stays, and what boto3 raises.
    """
    cloudformation = client("cloudformation")
    delete_passwords(client("iam"), deployment.name)
    # A stack uses only older stacks, and no stack uses that of the hosts.
    stacks = reversed(deployment.list_stacks(cloudformation))
    names = [stack["StackName"] for stack in stacks]
    hosts = [name for name in names if name.startswith(f"{deployment.name}-hosts")]
    for name in hosts:
        _delete(client, name)
    # Hosts may exist even if their own stack is gone.
    wait_until_drained()
    for name in names:
        if name not in hosts:
            _delete(client, name)


def _delete(client: Callable[[str], Any], name: str) -> None:
    with step(f"stack {name}") as line:
        line.outcome = "deleted"
        bucket = find_bucket(client("cloudformation"), name)
        if bucket:
            number = empty(client("s3"), bucket)
            line.outcome = f"deleted, with {number} objects in its bucket"
        delete(client("cloudformation"), name)
