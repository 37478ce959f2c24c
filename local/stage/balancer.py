"""HAProxy in the place of the ALB and of the S3 gateway endpoint: its configuration, and its servers at run time."""

from __future__ import annotations

import csv
import io
import re
import socket
from pathlib import Path
from typing import Any, NamedTuple

from local.stage.cloud_api import ENDPOINT, Balancing

RUN = Path("/run/balancer")
CONFIG = RUN / "haproxy.cfg"
APPLIED = RUN / "applied.cfg"  # the configuration that HAProxy runs with
MASTER = RUN / "master.sock"
SLOTS = 12  # twice two pairs, and room for replacements

# MiniStack's own path for what is a bucket of CloudFormation's on AWS.
SIGNAL_BUCKET = "cloudformation-waitcondition-"
SIGNAL_PATH = "/_ministack/cfn-signal/"
METHODS = {"s3:GetObject": "GET HEAD", "s3:PutObject": "PUT"}


class Server(NamedTuple):
    """A slot of HAProxy's that has a host's address."""

    slot: str
    address: str
    status: str  # HAProxy's own word: UP, DOWN, DRAIN, MAINT, "DOWN 1/2" ...
    sessions: int

    @property
    def healthy(self) -> bool:
        return self.status.startswith("UP")

    @property
    def unhealthy(self) -> bool:
        return self.status.startswith("DOWN")


def configuration(aws: Balancing, serving: dict[str, str] | None = None) -> str:
    """The HAProxy configuration that does what the API's settings say.

    serving: slot -> address of the hosts that serve from its first moment on; HAProxy learns of others at run time.
    """
    idle = aws.attributes["idle_timeout.timeout_seconds"]
    target = aws.target_group
    return f"""# Written by the controller from what the AWS API returns; edit the templates instead.
global
    log stdout format raw local0 info
    stats socket {RUN}/admin.sock level admin mode 600
    maxconn 4000

defaults
    mode http
    log global
    option httplog
    timeout connect 10s   # an ALB answers 504 when a target does not accept within 10 s
    timeout client {idle}s
    timeout server {idle}s
    timeout http-keep-alive {idle}s
    retries 0             # an ALB is not known to ask another target a second time
    option forwardfor

frontend listener
    bind :80
{_rules(aws.rules)}

backend targets
    balance roundrobin
    option httpchk GET {target["HealthCheckPath"]}
    http-check expect status {target["Matcher"]["HttpCode"]}
    timeout check {target["HealthCheckTimeoutSeconds"]}s
    default-server inter {target["HealthCheckIntervalSeconds"]}s \
fall {target["UnhealthyThresholdCount"]} rise {target["HealthyThresholdCount"]}
{_servers(target["Port"], serving or {})}

{_fixed_responses(aws.rules)}
# The S3 gateway endpoint: what its policy does not name is refused with 403, as on AWS.
frontend s3_endpoint
    bind :4566
{_endpoint(aws.endpoint_policy)}
    http-request deny deny_status 403 unless {{ var(txn.allowed) -m bool }}
    default_backend s3

backend s3
    server api {ENDPOINT.removeprefix("http://")}
"""


def _servers(port: int, serving: dict[str, str]) -> str:
    """A line for each slot: free, or with a host that is taken to be healthy until its checks say otherwise."""
    slots = [f"host{number}" for number in range(1, SLOTS + 1)]
    return "\n".join(
        f"    server {slot} {serving[slot]}:{port} check"
        if slot in serving
        else f"    server {slot} 0.0.0.0:{port} check disabled"
        for slot in slots
    )


def _rules(rules: list[dict[str, Any]]) -> str:
    """One line a rule in the order of their priority; the default one, without a condition, is last."""
    return "\n".join(
        f"    {'use' if (condition := _condition(rule)) else 'default'}_backend "
        f"{_backend(number, rule)}{condition}"
        for number, rule in enumerate(rules)
    )


def _backend(number: int, rule: dict[str, Any]) -> str:
    return "targets" if rule["Actions"][0]["Type"] == "forward" else f"fixed{number}"


def _fixed_responses(rules: list[dict[str, Any]]) -> str:
    """A backend for each rule that answers by itself."""
    lines = []
    for number, rule in enumerate(rules):
        if (action := rule["Actions"][0])["Type"] == "fixed-response":
            fixed = action["FixedResponseConfig"]
            body = fixed.get("MessageBody", "").translate(str.maketrans({"\\": "\\\\", '"': '\\"'}))
            lines.append(
                f"backend {_backend(number, rule)}\n"
                f"    http-request return status {fixed['StatusCode']} "
                f'content-type "{fixed.get("ContentType", "text/plain")}" string "{body}"\n'
            )
    return "\n".join(lines)


def _condition(rule: dict[str, Any]) -> str:
    """An `if` for the rule's path patterns; "" for the default rule."""
    patterns: list[str] = []
    for condition in rule["Conditions"]:
        if condition["Field"] == "path-pattern":
            patterns += (condition.get("PathPatternConfig") or condition)["Values"]
    paths = " ".join(_pattern(pattern) for pattern in patterns)
    return f" if {{ path -m reg {paths} }}" if patterns else ""


def _pattern(pattern: str) -> str:
    """A path pattern of an ALB's (`*` and `?`, case-sensitive) as a regular expression."""
    return "^" + re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") + "$"


def _endpoint(policy: dict[str, Any]) -> str:
    lines = []
    for statement in policy["Statement"]:
        if statement["Effect"] != "Allow":
            raise ValueError("the endpoint's stand-in knows only Allow statements")
        for action in _listed(statement["Action"]):
            for resource in _listed(statement["Resource"]):
                path = _object_path(resource)
                lines.append(
                    "    http-request set-var(txn.allowed) bool(true) if "
                    f"{{ method {METHODS[action]} }} {{ path -m reg {path} }}"
                )
    return "\n".join(lines)


def _object_path(resource: str) -> str:
    bucket, _, key = resource.removeprefix("arn:aws:s3:::").partition("/")
    prefix = SIGNAL_PATH if bucket.startswith(SIGNAL_BUCKET) else f"/{bucket}/"
    return _pattern(prefix + key)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def apply(aws: Balancing) -> bool:
    """Let HAProxy do what the API says; hosts that serve go on. Returns False while it has not started yet.

    Raises RuntimeError if HAProxy refuses; the next round tries again.
    """
    settings = configuration(aws)
    if not CONFIG.exists():
        _write(CONFIG, settings)  # what HAProxy waits for
    if not MASTER.exists():
        return False
    if not APPLIED.exists() or APPLIED.read_text() != settings:
        known = servers().values()
        _write(CONFIG, configuration(aws, {one.slot: one.address for one in known if one.healthy}))
        answer = _ask(MASTER, "reload")
        if "Success=1" not in answer:
            raise RuntimeError(f"HAProxy refuses its configuration: {answer.strip()}")
        _write(APPLIED, settings)
        for one in known:
            if one.unhealthy:
                _place(one.slot, one.address)
    return True


def _write(path: Path, text: str) -> None:
    """Whole, or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


def servers() -> dict[str, Server]:
    """The servers that have a host, by its address."""
    rows = csv.DictReader(io.StringIO(command("show stat").removeprefix("# ")))
    found = {}
    for row in rows:
        if (
            row["pxname"] == "targets"
            and row["svname"].startswith("host")
            and row["status"] != "MAINT"
        ):
            address = row["addr"].rpartition(":")[0]
            found[address] = Server(row["svname"], address, row["status"], int(row["scur"]))
    return found


def register(address: str) -> None:
    """Give a free slot to a host. It starts unhealthy, and serves after its first passed checks."""
    taken = {server.slot for server in servers().values()}
    slot = next(name for i in range(1, SLOTS + 1) if (name := f"host{i}") not in taken)
    _place(slot, address)


def _place(slot: str, address: str) -> None:
    command(
        f"set server targets/{slot} addr {address};"
        f"set server targets/{slot} state ready;"
        f"set server targets/{slot} health down"
    )


def drain(server: Server) -> None:
    command(f"set server targets/{server.slot} state drain")


def release(server: Server) -> None:
    command(f"set server targets/{server.slot} state maint")


def command(text: str) -> str:
    return _ask(RUN / "admin.sock", text)


def _ask(path: Path, text: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(text.encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
