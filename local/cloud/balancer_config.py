"""HAProxy's configuration: haproxy.cfg with the values that the AWS API returns."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from local import containers
from local.cloud import endpoint
from local.cloud.cloud_api import ENDPOINT, Balancing
from local.cloud.endpoint import pattern

TEMPLATE = Path(__file__).with_name("haproxy.cfg")
RUN = Path(containers.RUN)
LISTENER = ":80"
# An ALB gives a target ten seconds to accept a connection.
CONNECT_MS = 10_000
# A timer of HAProxy may be early by this.
EARLY_MS = 100
# Twice two pairs of hosts, and room for replacements.
SLOTS = 12
# HAProxy wants an address also of a server that has none yet.
NO_ADDRESS = "0.0.0.0"  # noqa: S104 - nothing listens there
QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"'})


def configuration(
    aws: Balancing,
    zones: Collection[str],
    slots: int,
    hosts: Collection[str] = (),
    healthy: Collection[str] = (),
) -> str:
    """Return HAProxy's configuration for the load balancer.

    zones: the addresses of the S3 endpoint. slots: how many hosts it can have. hosts:
    the addresses of those that are registered already. healthy: of those that serve from the first
    moment on.
    """
    attributes, target = aws.attributes, aws.target_group
    values = {
        "run": RUN,
        "listener": LISTENER,
        "idle": attributes["idle_timeout.timeout_seconds"],
        "keep_alive": attributes.get("client_keep_alive.seconds", "3600"),
        "drop_invalid": attributes["routing.http.drop_invalid_header_fields.enabled"],
        "connect": CONNECT_MS,
        "connect_limit": CONNECT_MS - EARLY_MS,
        "check_path": target["HealthCheckPath"],
        "check_status": target["Matcher"]["HttpCode"],
        "check_timeout": target["HealthCheckTimeoutSeconds"],
        "check_interval": target["HealthCheckIntervalSeconds"],
        "fall": target["UnhealthyThresholdCount"],
        "rise": target["HealthyThresholdCount"],
        "routes": _routes(aws.rules),
        "fixed_responses": _fixed_responses(aws.rules),
        "servers": _servers(target["Port"], slots, hosts, healthy),
        "endpoint_addresses": "\n".join(
            f"    bind {zone}:{endpoint.PORT}" for zone in sorted(zones)
        ),
        "endpoint_policy": endpoint.allow(aws.endpoint_policy),
        "api": ENDPOINT.removeprefix("http://"),
    }
    return re.sub(r"@(\w+)@", lambda match: str(values[match[1]]), TEMPLATE.read_text())


def fail_open(slot: str) -> str:
    """Return the slot's second server, without checks: it serves when all hosts are unhealthy."""
    return f"{slot}-open"


def _servers(port: int, slots: int, hosts: Collection[str], healthy: Collection[str]) -> str:
    """Return two lines for each slot. A healthy host stays healthy until its checks fail."""
    lines = []
    addresses = [*hosts, *[None] * (slots - len(hosts))]
    for number, address in enumerate(addresses, start=1):
        slot = f"host{number}"
        serving = address if address in healthy else None
        for name, place, role in ((slot, serving, "check"), (fail_open(slot), address, "backup")):
            state = "" if place else " disabled"
            lines.append(f"    server {name} {place or NO_ADDRESS}:{port} {role}{state}")
    return "\n".join(lines)


def _routes(rules: list[dict[str, Any]]) -> str:
    """Return a line for each rule by priority; the default rule, without a condition, is last."""
    lines = []
    for number, rule in enumerate(rules):
        (action,) = rule["Actions"]
        backend = "targets" if action["Type"] == "forward" else f"fixed{number}"
        if rule["Conditions"]:
            (condition,) = rule["Conditions"]
            paths = " ".join(map(pattern, condition["PathPatternConfig"]["Values"]))
            lines.append(f"    use_backend {backend} if {{ path -m reg {paths} }}")
        else:
            lines.append(f"    default_backend {backend}")
    return "\n".join(lines)


def _fixed_responses(rules: list[dict[str, Any]]) -> str:
    """Return a backend for each rule with a fixed response."""
    backends = []
    for number, rule in enumerate(rules):
        (action,) = rule["Actions"]
        if action["Type"] == "fixed-response":
            fixed = action["FixedResponseConfig"]
            body = fixed["MessageBody"].translate(QUOTED)
            backends.append(
                f"backend fixed{number}\n"
                f"    http-request return status {fixed['StatusCode']} "
                f'content-type "{fixed["ContentType"]}" string "{body}"\n'
            )
    return "\n".join(backends)
