"""A release, as Mermaid's sequenceDiagram: steps, waits and limits are the templates'."""

from __future__ import annotations

import re
from typing import Any

from deployment.template import read

# What a step of the user data runs -> whom it asks. The packages of Amazon Linux are in S3 as well.
ASKS = {"metadata": "metadata", "dnf": "S3", "aws s3": "S3", "chronyc": "time", "docker": "hosts"}


def steps() -> list[tuple[str, str]]:
    """(whom it asks, what for), for each step of the user data, in its order."""
    script = _hosts("LaunchTemplate")["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    _, *found = re.split(r'^step="(.*)"\n', script, flags=re.MULTILINE)
    return [
        (_asked(commands), what) for what, commands in zip(found[::2], found[1::2], strict=True)
    ]


def _asked(commands: str) -> str:
    """By the first command that is known, among those that stand at a line's beginning or in $(...)."""
    for command in re.findall(r"(?:^|\$\()([a-z][a-z0-9 ]*)", commands, re.MULTILINE):
        for known, whom in ASKS.items():
            if command.startswith(known):
                return whom
    return "hosts"


def text() -> str:
    """The picture."""
    checks = read("balancer").resources["TargetGroup"]["Properties"]
    attributes = {one["Key"]: one["Value"] for one in checks["TargetGroupAttributes"]}
    ready = _hosts("HostsReady")
    minutes = int(ready["Timeout"]) // 60
    *before, last = steps()  # the last waits for what the balancer does
    count = read("hosts").default(ready["Count"]["Ref"])
    return "\n".join(
        [
            "sequenceDiagram",
            "  participant pulumi as pulumi up",
            "  participant S3 as S3",
            "  participant stacks as CloudFormation",
            f"  participant hosts as {count} new hosts",
            "  participant metadata as metadata service",
            "  participant time as Amazon Time Sync",
            "  participant balancer as balancer",
            f"  participant old as {count} old hosts",
            "  balancer->>old: all requests",
            "  pulumi->>S3: image archive, named by the digest of its sources",
            "  pulumi->>stacks: create the stack hosts-RELEASE",
            "  stacks->>hosts: launch",
            *(f"  hosts->>{whom}: {what}" for whom, what in before),
            f"  balancer->>hosts: GET {checks['HealthCheckPath']}, every"
            f" {checks['HealthCheckIntervalSeconds']} s, {checks['HealthyThresholdCount']} good ones",
            "  balancer->>hosts: requests",
            f"  hosts->>{last[0]}: {last[1]}",
            f"  alt {count} hosts signal within {minutes} minutes",
            "    hosts->>stacks: SUCCESS, by a signed URL of S3",
            "    stacks->>pulumi: created",
            "    pulumi->>stacks: delete the stack of the release before",
            "    stacks->>balancer: deregister",
            f"    balancer->>old: finish within {attributes['deregistration_delay.timeout_seconds']} s",
            "  else a step fails, or nobody signals",
            "    hosts->>stacks: FAILURE, with the step and its last words",
            "    stacks->>hosts: terminate, and delete the new stack",
            "    stacks->>pulumi: failed, and why",
            "    balancer->>old: all requests, as before",
            "  end\n",
        ]
    )  # fmt: skip


def _hosts(name: str) -> Any:
    return read("hosts").resources[name]["Properties"]
