"""make status: stacks, hosts, URL. make check: the healthcheck of that URL."""

from __future__ import annotations

import json

from deployment.errors import UserError
from deployment.ownership import outputs_of
from healthcheck.__main__ import main as healthcheck
from local import stacks
from local.containers import Containers


def status(cloud: Containers) -> int:
    cloud.refuse_if_not_up()
    releases = {}
    for stack in sorted(
        stacks.deployed(cloud.endpoint()), key=lambda one: str(one["CreationTime"])
    ):
        print(f"stack  {stack['StackName']:<44} {stack['StackStatus']}")
        outputs = outputs_of(stack)
        if "Group" in outputs:
            releases[outputs["Group"]] = outputs["Release"]
    for host in cloud.hosts():
        # A stack tells its group only when it stands.
        release = releases.get(
            host["group"], "(going)" if host["state"] == "draining" else "(coming)"
        )
        told = clock(said_by(cloud, host["address"]))
        print(
            f"host   {host['instance']}  {host['zone']}  release {release}  {host['state']:<9}  {told}"
        )
    print(f"url    http://127.0.0.1:{cloud.port}/now")
    return 0


def check(cloud: Containers) -> int:
    """Check the local deployment; returns the exit code of the healthcheck."""
    if cloud.get("balancer") is None:
        raise UserError(f"the deployment {cloud.name!r} is not up; `make up` starts it")
    return healthcheck([f"http://127.0.0.1:{cloud.port}"])


def said_by(cloud: Containers, address: str) -> str:
    """What a host answers at /now; "" if it does not. The balancer asks, as nobody else is on its network."""
    balancer = cloud.get("balancer")
    if balancer is None or balancer.status != "running":
        return ""
    result = balancer.exec_run(["curl", "-s", "-m", "2", f"http://{address}/now"])
    return result.output.decode() if isinstance(result.output, bytes) else ""


def clock(answer: str) -> str:
    """What a host says at /now of its clock's error, in words."""
    try:
        known = json.loads(answer)["clock"]
        state, offset, bound = known["state"], known["offset"], known["bound"]
        if offset is None:
            return f"clock {state}"
        return f"clock {offset * 1e3:+.3f} ms (+-{bound * 1e3:.3f} ms) {state}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "clock ? (no answer)"
