"""make status: stacks, hosts, URL. make check: the healthcheck of that URL."""

import json

from deployment.errors import UserError
from deployment.ownership import outputs_of
from healthcheck.__main__ import main as healthcheck
from local.containers import Containers
from local.stacks import list_stacks


def status(cloud: Containers) -> int:
    """Print the stacks, the hosts with their release, state and clock, and the URL."""
    cloud.check_up()
    releases = {}
    stacks = list_stacks(cloud.endpoint())
    for stack in sorted(stacks, key=lambda stack: str(stack["CreationTime"])):
        print(f"stack  {stack['StackName']:<44} {stack['StackStatus']}")
        outputs = outputs_of(stack)
        if "Group" in outputs:
            releases[outputs["Group"]] = outputs["Release"]
    for host in cloud.hosts():
        # Only a complete stack has outputs.
        unknown = "(going)" if host["state"] == "draining" else "(coming)"
        release = releases.get(host["group"], unknown)
        # Only the balancer is on the host's network.
        response = cloud.run("balancer", "curl", "-s", "-m", "2", f"http://{host['address']}/now")
        where = f"{host['instance']}  {host['zone']}"
        print(f"host   {where}  release {release}  {host['state']:<9}  {format_clock(response)}")
    print(f"url    http://127.0.0.1:{cloud.port}/now")
    return 0


def check(cloud: Containers) -> int:
    """Check the local deployment; return the exit code of the healthcheck."""
    if cloud.get("balancer") is None:
        raise UserError(f"the deployment {cloud.name!r} is not up; `make up` starts it")
    return healthcheck([cloud.url()])


def format_clock(response: str) -> str:
    """Return the clock's state and error from a response to /now."""
    try:
        clock = json.loads(response)["clock"]
        state, offset, bound = clock["state"], clock["offset"], clock["bound"]
        if offset is None:
            return f"clock {state}"
        return f"clock {offset * 1e3:+.3f} ms (+-{bound * 1e3:.3f} ms) {state}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "clock ? (no response)"
