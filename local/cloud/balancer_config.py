"""HAProxy's configuration for the ALB and the S3 gateway endpoint, from what the AWS API returns.

local/README.md compares it with an ALB.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from local.cloud import endpoint
from local.cloud.cloud_api import ENDPOINT, Balancing
from local.cloud.endpoint import pattern

RUN = Path("/run/balancer")
LISTENER = ":80"
CONNECT_MS = 10_000  # an ALB gives a target ten seconds to accept a connection
# Twice two pairs of hosts, and room for replacements.
SLOTS = [f"host{number}" for number in range(1, 13)]

TRACE = "X-Amzn-Trace-Id"
QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"'})

Rule = dict[str, Any]


def configuration(
    aws: Balancing,
    zones: Collection[str] = ("",),
    hosts: Mapping[str, str] | None = None,
    healthy: Collection[str] = (),
) -> str:
    """Return HAProxy's configuration for the load balancer.

    zones: the addresses of the S3 endpoint; "" for all. hosts: slot -> address of each host that is
    registered already. healthy: the slots of the hosts that serve from the first moment on.
    """
    parts = [
        "# Written by the controller from what the AWS API returns; edit the templates instead.",
        _global(),
        _defaults(aws.attributes["idle_timeout.timeout_seconds"]),
        _listener(aws),
        _targets(aws, hosts or {}, healthy),
        _fixed_responses(aws.rules),
        endpoint.configuration(aws.endpoint_policy, zones, ENDPOINT.removeprefix("http://")),
    ]
    return "\n".join(parts)


def _global() -> str:
    return f"""global
    log stdout format raw local0 info
    stats socket {RUN}/admin.sock level admin mode 600
    # An ALB has no limit of connections, so there is no maxconn. On a machine without a limit of
    # files, HAProxy would make a table of a billion entries.
    fd-hard-limit 20000
    tune.bufsize 66560 # the 64 K of headers that an ALB takes, and room to add some
"""


def _defaults(idle: str) -> str:
    """idle: seconds since the last byte, so that a slow client is not cut."""
    return f"""defaults
    mode http
    log global
    option httplog
    option dontlog-normal # access_logs.s3.enabled is false; errors are logged
    option dontlognull
    timeout connect {CONNECT_MS}ms
    timeout client {idle}s
    timeout server {idle}s
    timeout http-keep-alive {idle}s
    # On a reload, close an idle connection after its next response: a request may be on its way.
    option idle-close-on-response
    retries 0 # an ALB is not documented to try another target
"""


def _listener(aws: Balancing) -> str:
    return f"""frontend listener
    bind {LISTENER}
    option disable-h2-upgrade # an ALB speaks HTTP/2 over TLS alone
    unique-id-format {_trace()}
{_client_keep_alive(aws.attributes)}
{_routes(aws.rules)}
"""


def _targets(aws: Balancing, hosts: Mapping[str, str], healthy: Collection[str]) -> str:
    """Return the target group. For a target that does not accept, an ALB returns 502 or 504."""
    target = aws.target_group
    return f"""backend targets
    balance roundrobin
    option allbackups # all servers of `fail_open` have equal rank
    http-request return status 503 content-type text/plain string "no target is registered" if {{ nbsrv eq 0 }}
{_headers(aws.attributes)}
    http-request set-var(txn.asked) date(0,ms)
    http-response unset-var(txn.asked) # the target has responded, and its 503 stays
    acl too_late date(0,ms),sub(txn.asked) ge {CONNECT_MS - 100} # a timer may be early
    http-after-response set-status 504 if {{ status 503 }} too_late
    http-after-response set-status 502 reason "Bad Gateway" if {{ status 503 }} {{ var(txn.asked) -m found }}
    http-error status 503 content-type text/plain string "the target does not accept connections"
    option httpchk GET {target["HealthCheckPath"]}
    http-check expect status {target["Matcher"]["HttpCode"]}
    timeout check {target["HealthCheckTimeoutSeconds"]}s
    default-server inter {target["HealthCheckIntervalSeconds"]}s \
fall {target["UnhealthyThresholdCount"]} rise {target["HealthyThresholdCount"]}
{_servers(target["Port"], hosts, healthy)}
"""


def fail_open(slot: str) -> str:
    """Return the slot's second server, without checks: it serves when all hosts are unhealthy."""
    return f"{slot}-open"


def _servers(port: int, hosts: Mapping[str, str], healthy: Collection[str]) -> str:
    """Return two lines for each slot. A healthy host stays healthy until its checks fail."""
    lines = []
    for slot in SLOTS:
        address = hosts.get(slot)
        serving = address if slot in healthy else None
        lines.append(_server(slot, serving, port, "check"))
        lines.append(_server(fail_open(slot), address, port, "backup"))
    return "\n".join(lines)


def _server(name: str, address: str | None, port: int, how: str) -> str:
    if address:
        return f"    server {name} {address}:{port} {how}"
    # HAProxy wants an address also for a server that has none yet.
    return f"    server {name} 0.0.0.0:{port} {how} disabled"


def _headers(attributes: Mapping[str, str]) -> str:
    """Return what an ALB does to a request's headers."""
    drop = attributes.get("routing.http.drop_invalid_header_fields.enabled") == "true"
    lines = ["http-request del-header [^A-Za-z0-9-] -m reg"] if drop else []
    lines += [
        "option forwardfor if-none",
        "http-request return status 463 if { req.hdr_cnt(X-Forwarded-For) gt 30 }",
        r'http-request replace-header X-Forwarded-For (.*) "\1, %[src]"',
        "http-request set-header X-Forwarded-Proto http",
        "http-request set-header X-Forwarded-Port %[dst_port]",
        # A given Root stays, with what an application added to it. The Self is the ALB's.
        rf"http-request replace-header {TRACE} (.*)Self=[^;]*;?(.*) \1\2",
        f"http-request set-header {TRACE} Self=%[unique-id];%[req.fhdr({TRACE})] "
        f"if {{ req.fhdr({TRACE}) -m sub Root= }}",
        f"http-request set-header {TRACE} Root=%[unique-id] "
        f"unless {{ req.fhdr({TRACE}) -m sub Root= }}",
    ]
    return "\n".join(f"    {line}" for line in lines)


def _trace() -> str:
    """Return the format of an ALB's trace id: version, time, and 24 hexadecimal digits."""
    part = "bytes(4,4),hex,lower"
    return f"1-%[date,{part}]-" + f"%[rand,{part}]" * 3


def _client_keep_alive(attributes: Mapping[str, str]) -> str:
    """Return what closes an old connection after its next response."""
    seconds = attributes.get("client_keep_alive.seconds", "3600")
    return f"""    tcp-request session set-var(sess.began) date
    http-after-response set-header Connection close if {{ date,sub(sess.began) ge {seconds} }}"""


def _routes(rules: list[Rule]) -> str:
    """Return a line for each rule by priority; the default rule, without a condition, is last."""
    lines = []
    for number, rule in enumerate(rules):
        backend, condition = _backend(number, rule), _condition(rule)
        lines.append(f"    {'use' if condition else 'default'}_backend {backend}{condition}")
    return "\n".join(lines)


def _fixed_responses(rules: list[Rule]) -> str:
    """Return a backend for each rule with a fixed response."""
    return "\n".join(
        _fixed_response(_backend(number, rule), rule["Actions"][0]["FixedResponseConfig"])
        for number, rule in enumerate(rules)
        if rule["Actions"][0]["Type"] == "fixed-response"
    )


def _fixed_response(backend: str, fixed: dict[str, str]) -> str:
    body = fixed.get("MessageBody", "").translate(QUOTED)
    return f"""backend {backend}
    http-request return status {fixed["StatusCode"]} \
content-type "{fixed.get("ContentType", "text/plain")}" string "{body}"
"""


def _backend(number: int, rule: Rule) -> str:
    return "targets" if rule["Actions"][0]["Type"] == "forward" else f"fixed{number}"


def _condition(rule: Rule) -> str:
    """Return an `if` for the rule's path patterns; "" for the default rule."""
    patterns: list[str] = []
    for condition in rule["Conditions"]:
        if condition["Field"] == "path-pattern":
            patterns += (condition.get("PathPatternConfig") or condition)["Values"]
    paths = " ".join(map(pattern, patterns))
    return f" if {{ path -m reg {paths} }}" if patterns else ""
