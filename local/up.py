"""make up and make cloud: start the local cloud, run the program against it, check the service."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from deployment.errors import UserError
from deployment.settings import Settings
from local import launch, program, reviewer
from local.api import ACCOUNT_ROOT, is_up
from local.containers import Containers, get_architecture
from local.deployer import Deployer, assume_deployer
from local.hosts import format_boots
from local.project import (
    DEPLOYMENT,
    STACK,
    format_config,
    merge_config,
    save_config,
    write_config,
)
from local.stacks import list_stacks
from local.status import run_healthcheck
from local.steps import SETTINGS, step, wait_until

# Seconds. Also on a busy machine, only a hang takes this long.
PATIENCE = 180


def up(cloud: Containers, folder: Path, given: dict[str, str]) -> int:
    """Deploy, and check the service; return the exit code of the healthcheck.

    given: settings of this run, which the next runs keep.
    """
    # When make began, before the builds.
    began = float(os.environ.get("TIMESERVICE_STARTED") or time.time())
    overrides = merge_config(folder, given)
    settings = program.check(overrides)
    started = start(cloud)
    program.check_network(settings, cloud.endpoint(), overrides)
    save_config(folder, overrides)
    if overrides:
        print(f'  CONFIG="{format_config(overrides)}" is in effect; CONFIG="KEY=" clears a setting')
    with step("deployer's role, as cfn/deployer.yaml allows"):
        credentials, boundary = assume_deployer(cloud.endpoint())
    architecture = get_architecture(cloud.engine)
    config = {"permissionsBoundary": boundary, "local:architecture": architecture} | overrides
    (folder / SETTINGS).write_text(json.dumps(config))
    if needs_root(cloud.endpoint(), settings):
        credentials = ACCOUNT_ROOT
    previous = reviewer.load(folder)
    deployer = Deployer(cloud.endpoint(), previous, credentials, lambda: format_boots(cloud))
    exports = program.run(deployer, config)
    reviewer.save(folder, exports.get("reviewer"))
    with step(f"waiting until only this release's {settings.min_hosts} hosts serve"):
        wait_for_hosts(cloud, str(exports["group"]), settings.min_hosts)
    print()
    code = run_healthcheck(cloud, settings.min_hosts)
    if "reviewer" in exports:
        print("How the reviewer signs in: make reviewer")
    if not started and deployer.changes == 0:
        print("Nothing changed: this release was up already.")
    url = f"http://127.0.0.1:{cloud.port}"
    print(f"Up after {time.time() - began:.0f} s: {url}/ and {url}/now")
    return code


def needs_root(endpoint: str, settings: Settings) -> bool:
    """Return whether there is or was a reviewer: only an administrator may manage users."""
    names = [stack["StackName"] for stack in list_stacks(endpoint)]
    had_reviewer = any(name.startswith(f"{DEPLOYMENT}-reviewer") for name in names)
    return had_reviewer or settings.reviewer != "none"


def start(cloud: Containers) -> bool:
    """Start the local cloud with nothing deployed; return whether anything had to be started."""
    cloud.check_owner()
    image = launch.build_image(cloud)
    with step("local cloud") as line:
        started = launch.start(cloud, image)
        # endpoint() raises UserError at once if the API has ended.
        if not wait_until(lambda: is_up(cloud.endpoint()), PATIENCE):
            raise UserError(
                f"the local AWS API does not respond within {PATIENCE} s: make logs HOST=api "
                "shows why. When the machine is less busy, run the command again"
            )
        line.outcome = "started" if started else "already up"
    return started


def start_alone(cloud: Containers, folder: Path) -> int:
    """Start the local cloud with nothing deployed, and let the pulumi CLI deploy into it."""
    if (folder / SETTINGS).exists():
        raise UserError(
            "make up has deployed here, and Pulumi would not know of it: run make down first, or "
            "choose another name and port: make cloud NAME=second PORT=8081"
        )
    start(cloud)
    # The function, which runs in a container, checks this URL too, and 127.0.0.1 is not ours there.
    url = f"http://{cloud.address('balancer')}"
    write_config(cloud.endpoint(), url, get_architecture(cloud.engine))
    print(
        f"\nThe local cloud is up, and Pulumi.{STACK}.yaml leads to it. Next:\n"
        "  make image package\n"
        "  pulumi login --local\n"
        f"  pulumi stack init {STACK}      # later: pulumi stack select {STACK}\n"
        "  pulumi up\n"
        f"The service is then at http://127.0.0.1:{cloud.port}/ as well."
    )
    return 0


def wait_for_hosts(cloud: Containers, group: str, number: int) -> None:
    """Wait until that many hosts of the group are healthy, and no other host exists."""
    wanted = [(group, "healthy")] * number

    def are_wanted() -> bool:
        # On a busy machine, a report can be late.
        with suppress(UserError):
            return [(host["group"], host["state"]) for host in cloud.hosts()] == wanted
        return False

    if wait_until(are_wanted, PATIENCE):
        return
    states = ", ".join(f"{host['instance']} {host['state']}" for host in cloud.hosts())
    raise UserError(
        f"not {number} healthy hosts within {PATIENCE} s ({states or 'no hosts'}); "
        "make logs shows what they report"
    )
