"""make up and make cloud: the local cloud started, the program run before it, the service checked."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from deployment.errors import UserError
from deployment.settings import Settings
from healthcheck.__main__ import main as healthcheck
from local import api, identity, launch, program, reviewer, stacks
from local.api import Credentials, answers
from local.containers import Containers
from local.identity import Identity
from local.project import DEPLOYMENT
from local.steps import SETTINGS, step, wait_until


def up(cloud: Containers, folder: Path, overrides: dict[str, str]) -> int:
    """Start the local cloud, run the Pulumi program against it, and check the service."""
    began = time.monotonic()
    settings = program.check(overrides)
    started = start(cloud)
    who = identity.deployer(cloud.endpoint())
    given = {"permissionsBoundary": who.boundary} | overrides
    (folder / SETTINGS).write_text(json.dumps(given))
    credentials = credentials_for(cloud.endpoint(), settings, who)
    before = reviewer.remembered(folder)
    exports, changes = program.run(cloud.endpoint(), given, before, credentials)
    reviewer.remember(folder, exports.get("reviewer"))
    with step(f"{settings.min_hosts} healthy hosts of this release, and no other"):
        wait_for_hosts(cloud, str(exports["group"]), settings.min_hosts)
    if not started and changes == 0:
        print("\nNothing changed: this release was up already.")
    else:
        print(f"\nUp after {time.monotonic() - began:.0f} s.")
    url = f"http://127.0.0.1:{cloud.port}"
    print(f"{url}/now\n")
    if "reviewer" in exports:
        print("How the reviewer signs in: make reviewer\n")
    return healthcheck([url])


def credentials_for(endpoint: str, settings: Settings, who: Identity) -> Credentials:
    """The deployer's, or an administrator's where there is a reviewer, now or before: users are not the deployer's."""
    present = [one["StackName"] for one in stacks.deployed(endpoint)]
    was = any(name.startswith(f"{DEPLOYMENT}-reviewer") for name in present)
    return api.ACCOUNT_ROOT if was or settings.reviewer != "none" else who.credentials


def start(cloud: Containers) -> bool:
    """Start the local cloud, with nothing deployed; returns whether anything had to be started."""
    cloud.refuse_another_clone()
    launch.refuse_taken_names(cloud)
    check_port(cloud)
    image = launch.build_image(cloud)
    with step("local cloud") as line:
        started = launch.start(cloud, image)
        wait_for_api(cloud.endpoint())
        if not started and cloud.machines() and not stacks.deployed(cloud.endpoint()):
            cloud.remove()  # the API was started again, and has forgotten whose hosts these are
            started = launch.start(cloud, image)
            wait_for_api(cloud.endpoint())
        line.outcome = "started" if started else "already up"
    return started


def check_port(cloud: Containers) -> None:
    """Refuse a busy port before anything is built or started."""
    balancer = cloud.get("balancer")
    if balancer is not None and balancer.status == "running" and cloud.published() == cloud.port:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", cloud.port))
        except OSError as refused:
            raise UserError(
                f"port {cloud.port} cannot be used ({refused.strerror}); choose another: make up PORT=8081"
            ) from None


def wait_for_api(endpoint: str) -> None:
    if not wait_until(lambda: answers(endpoint), 60):
        raise UserError("the local AWS API does not answer within 60 s; see make logs HOST=api")


def wait_for_hosts(cloud: Containers, group: str, number: int) -> None:
    """Until there are as many, and no other."""
    wanted = [(group, "healthy")] * number
    if not wait_until(
        lambda: [(one["group"], one["state"]) for one in cloud.hosts()] == wanted, 180
    ):
        there = ", ".join(f"{one['instance']} {one['state']}" for one in cloud.hosts())
        raise UserError(
            f"not {number} healthy hosts within 180 s ({there or 'no hosts'}); make logs shows what they say"
        )
