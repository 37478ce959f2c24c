"""make down: what is deployed deleted through the API, then the local cloud removed."""

from __future__ import annotations

import shutil
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from deployment.bucket import NotEmptied
from deployment.errors import UserError
from deployment.leftovers import find_leftovers
from deployment.ownership import Deployment
from local.api import answers, client_of
from local.containers import Containers
from local.destroy import destroy
from local.project import DEPLOYMENT
from local.steps import step, wait_until

DRAINED = 45  # seconds: the target group's deregistration delay, and a controller's pace


def down(cloud: Containers, folder: Path) -> int:
    cloud.refuse_another_clone()
    if not cloud.leftovers():
        print(f"Nothing to do: {cloud.name!r} is not up.")
    else:
        destroyed(cloud)
        with step("containers, volumes, networks, images"):
            cloud.remove()
            cloud.remove_images()
    shutil.rmtree(folder, ignore_errors=True)
    if left := cloud.leftovers():
        raise UserError("these could not be removed: " + ", ".join(left))
    print(
        "Nothing of it is left outside this clone; an engine that make up installed or started stays."
    )
    return 0


def destroyed(cloud: Containers) -> None:
    """Delete what is deployed through the API first, as it is done on AWS, and see what that leaves there.

    What does not go that way goes with its containers all the same.
    """
    try:
        endpoint = cloud.endpoint()
        if not answers(endpoint):
            raise UserError("the local AWS API does not answer")
        destroy(client_of(endpoint), Deployment(DEPLOYMENT), lambda: hosts_gone(cloud))
        with step("what the AWS API has left") as line:
            left = find_leftovers(client_of(endpoint), DEPLOYMENT).leftovers
            names = [f"{resource.type} {resource.id}" for resource in left]
            line.outcome = ", ".join(names) or "nothing"
    except (UserError, NotEmptied, BotoCoreError, ClientError) as trouble:
        print(f"  not deleted through the API: {trouble}")


def hosts_gone(cloud: Containers) -> None:
    """Wait until the controller has drained and removed the hosts of groups that are gone."""
    if cloud.missing():
        return  # nobody would
    with step("hosts, drained") as line:
        line.outcome = (
            "gone" if wait_until(lambda: not cloud.machines(), DRAINED) else "still there"
        )
