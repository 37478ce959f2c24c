"""What can be done with the local cloud as a whole: up, start, down, status, logs."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from audit.leftovers.aws import find
from deployment.bucket import NotEmptied
from deployment.ownership import Deployment
from deployment.settings import Settings
from healthcheck.__main__ import main as healthcheck
from local import api, identity, program, reviewer
from local.api import Credentials, answers, client_of
from local.containers import ROOT, Containers
from local.destroy import destroy
from local.identity import Identity
from local.steps import CloudError, alone, step

SETTINGS = "settings.json"
DRAINED = 45  # seconds: the target group's deregistration delay, and a controller's pace


class Busy(CloudError):
    """Another run is at work on this deployment."""


def up(cloud: Containers, folder: Path, overrides: dict[str, str]) -> int:
    """Start the local cloud, run the Pulumi program against it, and check the service."""
    began = time.monotonic()
    settings = program.check(overrides)
    started = start(cloud, folder)
    who = identity.deployer(cloud.endpoint())
    given = {"permissionsBoundary": who.boundary} | overrides
    (folder / SETTINGS).write_text(json.dumps(given))  # for make drift
    exports, changes = program.run(
        cloud.endpoint(),
        given,
        reviewer.remembered(folder),
        deploys(cloud.endpoint(), settings, who),
    )
    reviewer.remember(folder, exports.get("reviewer"))
    with step(f"{settings.min_hosts} healthy hosts of this release, and no other"):
        wait_for_hosts(cloud, str(exports["group"]), settings.min_hosts)
    if not started and changes == 0:
        print("\nNothing changed: this release was up already.")
    else:
        print(f"\nUp after {time.monotonic() - began:.0f} s.")
    url = (folder / "url").read_text().strip()
    print(f"{url}/now\n")
    if "reviewer" in exports:
        print("How the reviewer signs in: make reviewer\n")
    return healthcheck([url])


def deploys(endpoint: str, settings: Settings, who: Identity) -> Credentials:
    """The deployer's, or an administrator's where there is a reviewer, now or before: users are not the deployer's."""
    present = [one["StackName"] for one in program.stacks(endpoint)]
    was = any(name.startswith(f"{program.DEPLOYMENT}-reviewer") for name in present)
    return api.ROOT if was or settings.reviewer != "none" else who.credentials


def start(cloud: Containers, folder: Path) -> bool:
    """Start the local cloud, with nothing deployed; returns whether anything had to be started."""
    check_owner(cloud)
    cloud.refuse_taken_names()
    check_port(cloud)
    image = cloud.build_image()
    with step("local cloud") as line:
        started = cloud.start(image)
        wait_for_api(cloud.endpoint())
        if not started and cloud.has_hosts() and not program.stacks(cloud.endpoint()):
            cloud.remove()  # the API was started again, and has forgotten whose hosts these are
            started = cloud.start(image)
            wait_for_api(cloud.endpoint())
        line.outcome = "started" if started else "already up"
    (folder / "url").write_text(f"http://127.0.0.1:{cloud.port}\n")  # the healthcheck looks here
    return started


def check_owner(cloud: Containers) -> None:
    owner = cloud.owner()
    if owner is not None and owner != str(ROOT) and Path(owner).exists():
        raise CloudError(
            f"the deployment {cloud.name!r} belongs to the clone {owner}: "
            "run make down there, or choose another name and port: make up NAME=second PORT=8081"
        )


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
            raise CloudError(
                f"port {cloud.port} cannot be used ({refused.strerror}); choose another: make up PORT=8081"
            ) from None


def wait_for_api(endpoint: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if answers(endpoint):
            return
        time.sleep(0.2)
    raise CloudError(
        "the local AWS API does not answer within 60 s; see docker logs of the api container"
    )


def wait_for_hosts(cloud: Containers, group: str, number: int) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        hosts = cloud.hosts()
        if [(host["group"], host["state"]) for host in hosts] == [(group, "healthy")] * number:
            return
        time.sleep(0.5)
    states = (
        ", ".join(f"{host['instance']} {host['state']}" for host in cloud.hosts()) or "no hosts"
    )
    raise CloudError(
        f"not {number} healthy hosts within 180 s ({states}); make logs shows what they say"
    )


def down(cloud: Containers, folder: Path) -> int:
    check_owner(cloud)
    if not cloud.leftovers():
        print(f"Nothing to do: {cloud.name!r} is not up.")
    else:
        destroyed(cloud)
        with step("containers, volumes, networks, images"):
            cloud.remove()
            cloud.remove_images()
    shutil.rmtree(folder, ignore_errors=True)
    if left := cloud.leftovers():
        raise CloudError("these could not be removed: " + ", ".join(left))
    print(
        "Nothing of it is left outside this clone; a Docker engine that make up installed or started stays."
    )
    return 0


def destroyed(cloud: Containers) -> None:
    """Delete what is deployed through the API first, as it is done on AWS, and see what that leaves there.

    What does not go that way goes with its containers all the same.
    """
    try:
        endpoint = cloud.endpoint()
        if not answers(endpoint):
            raise CloudError("the local AWS API does not answer")
        destroy(client_of(endpoint), Deployment(program.DEPLOYMENT), lambda: hosts_gone(cloud))
        with step("what the AWS API has left") as line:
            left = find(client_of(endpoint), program.DEPLOYMENT).left
            line.outcome = ", ".join(f"{one.kind} {one.id}" for one in left) or "nothing"
    except (CloudError, NotEmptied, BotoCoreError, ClientError) as trouble:
        print(f"  not deleted through the API: {trouble}")


def hosts_gone(cloud: Containers) -> None:
    """Wait until the controller has drained and removed the hosts of groups that are gone."""
    if cloud.missing():
        return  # nobody would
    with step("hosts, drained") as line:
        deadline = time.monotonic() + DRAINED
        while cloud.has_hosts() and time.monotonic() < deadline:
            time.sleep(0.2)
        line.outcome = "still there" if cloud.has_hosts() else "gone"


def status(cloud: Containers) -> int:
    if missing := cloud.missing():
        raise CloudError(
            f"the local cloud {cloud.name!r} is not up (no {', no '.join(missing)}); `make up` starts or mends it"
        )
    releases = {}
    for stack in sorted(program.stacks(cloud.endpoint()), key=lambda one: str(one["CreationTime"])):
        print(f"stack  {stack['StackName']:<44} {stack['StackStatus']}")
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
        if "Group" in outputs:
            releases[outputs["Group"]] = outputs["Release"]
    for host in cloud.hosts():
        # A stack tells its group only when it stands.
        release = releases.get(
            host["group"], "(going)" if host["state"] == "draining" else "(coming)"
        )
        told = clock(cloud.said_by(host["address"]))
        print(
            f"host   {host['instance']}  {host['zone']}  release {release}  {host['state']:<9}  {told}"
        )
    print(f"url    http://127.0.0.1:{cloud.port}/now")
    return 0


def logs(cloud: Containers) -> int:
    for container in cloud.all():
        print(f"--- {container.name} ({container.status})")
        print(container.logs(tail=30).decode(errors="replace"))
    return 0


def clock(answer: str) -> str:
    """What a host says at /now of its clock's error, in words."""
    try:
        known = json.loads(answer)["clock"]
    except (ValueError, KeyError):
        return "clock ? (no answer)"
    if known.get("offset") is None:
        return f"clock {known['state']}"
    return (
        f"clock {known['offset'] * 1e3:+.3f} ms (+-{known['bound'] * 1e3:.3f} ms) {known['state']}"
    )


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """One run at a time on a deployment."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    busy = Busy("another make up or make down is at work on this deployment; wait for it")
    with alone(Path(f"{folder}.lock"), busy):
        folder.mkdir(exist_ok=True)
        yield
