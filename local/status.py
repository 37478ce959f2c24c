"""make status: what is deployed and how it is. make check: the healthcheck of its URL."""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from deployment.errors import UserError
from deployment.ownership import Deployment, outputs_of, parse_tags
from healthcheck import reference
from healthcheck.check import check as check_service
from healthcheck.formats.text import render
from healthcheck.output import EXITS
from healthcheck.url import complete_url
from local.api import client
from local.containers import Containers, instance_of
from local.hosts import find_step
from local.logs import format_verdict, read_log
from local.project import DEPLOYMENT
from local.stacks import list_stacks


def status(cloud: Containers) -> int:
    """Print stacks, hosts by zone, alarms, the last verdict of the function, and the URL.

    Raises UserError if a part does not run or the controller reports nothing.
    """
    cloud.check_up()
    endpoint = cloud.endpoint()
    stacks = list_stacks(endpoint)
    groups = {}
    for stack in stacks:
        print(f"stack   {stack['StackName']:<44} {stack['StackStatus']}")
        outputs = outputs_of(stack)
        if "Group" in outputs:
            commit = parse_tags(stack.get("Tags")).get("commit", "unknown")
            groups[outputs["Group"]] = outputs | {"Commit": commit}
    hosts = sorted(cloud.hosts(), key=lambda host: (host["zone"], host["instance"]))
    machines = {instance_of(machine): machine for machine in cloud.machines()}
    with ThreadPoolExecutor() as threads:
        responses = threads.map(lambda host: ask_time(cloud, host["address"]), hosts)
        for host, response in zip(hosts, responses, strict=True):
            machine = machines.get(host["instance"])
            created = parse_time(machine.attrs["Created"]) if machine else None
            line = format_host(host, groups.get(host["group"]), created)
            print(f"{line}  {format_clock(response)}")
            if machine and host["state"] in ("booting", "unhealthy"):
                print(f"        {format_step(find_step(machine))}")
    print_alarms(client(endpoint, "cloudwatch"))
    verdicts = read_log(endpoint, stacks)
    if verdicts:
        when, text = verdicts[-1]
        print(f"check   {format_verdict(text)}, at {format_time(when / 1000)}")
    print(f"url     http://127.0.0.1:{cloud.port}/ and http://127.0.0.1:{cloud.port}/now")
    return 0


def ask_time(cloud: Containers, address: str) -> str:
    """Return the host's response to /now; "" if there is none."""
    # Only the balancer is on the host's network.
    return cloud.run("balancer", "curl", "-s", "-m", "1", f"http://{address}/now")


def print_alarms(cloudwatch: Any) -> None:
    """Print the deployment's alarms that fire, or the number of alarms if none fires."""
    found = cloudwatch.get_paginator("describe_alarms").paginate().search("MetricAlarms[]")
    alarms = [alarm for alarm in found if Deployment(DEPLOYMENT).owns_name(alarm["AlarmName"])]
    active = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    for alarm in active:
        since = format_time(alarm["StateUpdatedTimestamp"].timestamp())
        print(f"alarm   {alarm['AlarmName']} since {since}: {alarm.get('AlarmDescription', '')}")
    if not active:
        print(f"alarm   none of {len(alarms)}")


def check(cloud: Containers) -> int:
    """Check the local deployment; return the exit code of the healthcheck."""
    if cloud.get("balancer") is None:
        raise UserError(f"the local cloud {cloud.name!r} is not up; make up starts it")
    hosts = [host for host in cloud.hosts() if host["state"] != "draining"]
    return run_healthcheck(cloud, max(1, len(hosts)))


def run_healthcheck(cloud: Containers, instances: int) -> int:
    """Check the service, print the result with the user's URL, and return its exit code."""
    result = check_service(
        complete_url(cloud.url()),
        ask_reference=partial(reference.measure, reference.SERVERS),
        instances=instances,
    )
    print(render(result._replace(url=complete_url(f"http://127.0.0.1:{cloud.port}"))))
    return EXITS[result.verdict.status]


def format_host(
    host: Mapping[str, Any], outputs: Mapping[str, str] | None, created: float | None
) -> str:
    """Return what the controller knows of a host, and what it is about to do.

    outputs: of the host's stack, with its Commit; only a complete stack has any.
    """
    if outputs:
        release = f"release {outputs['Release']} commit {outputs['Commit']}"
    elif host["state"] == "draining":
        release = "of an old release"
    else:
        release = "of a new release"
    age = format_age(created) if created else "?"
    state = host["state"]
    if state != "healthy":
        state += f" for {format_age(host['since'])}"
    if host["replaced_at"]:
        state += f", replaced by its group at {format_time(host['replaced_at'])} at the earliest"
    return f"host    {host['zone']}  {host['instance']}  {release}  up {age}  {state}"


def format_step(step: str) -> str:
    """Return what a host that is not healthy does next."""
    if step == "serving":
        return "it restarts the service when 8 checks of /health have failed"
    return f"now: {step}"


def parse_time(text: str) -> float:
    """Return the Unix time of a time in UTC as Docker writes it, without fractions."""
    return datetime.fromisoformat(f"{text[:19]}+00:00").timestamp()


def format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")


def format_age(since: float) -> str:
    return str(timedelta(seconds=round(time.time() - since)))


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
