"""HAProxy's configuration in the place of the ALB and of the S3 gateway endpoint: what the AWS API says, in its words.

Where it does as an ALB does without being told, and where it cannot, is in local/README.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from local.cloud import endpoint, rules
from local.cloud.cloud_api import ENDPOINT, Balancing

RUN = Path("/run/balancer")
LISTENER = ":80"
CONNECT_MS = 10_000  # an ALB gives a target ten seconds to accept a connection
SLOTS = [f"host{number}" for number in range(1, 13)]  # twice two pairs, and room for replacements

TRACE = "X-Amzn-Trace-Id"


def configuration(
    aws: Balancing,
    zones: Collection[str] = ("",),
    hosts: Mapping[str, str] | None = None,
    healthy: Collection[str] = (),
) -> str:
    """The HAProxy configuration that does what the API's settings say.

    zones: the addresses at which hosts find the S3 endpoint, and nobody else; "" for all that there are.
    hosts: slot -> address of those who are registered when it is loaded; HAProxy learns of others at run time.
    healthy: the slots of those who serve from its first moment on.
    """
    parts = [
        "# Written by the controller from what the AWS API returns; edit the templates instead.",
        _global(),
        _defaults(aws.attributes["idle_timeout.timeout_seconds"]),
        _listener(aws),
        _targets(aws, hosts or {}, healthy),
        rules.fixed_responses(aws.rules),
        endpoint.configuration(aws.endpoint_policy, zones, ENDPOINT.removeprefix("http://")),
    ]
    return "\n".join(parts)


def _global() -> str:
    return f"""global
    log stdout format raw local0 info
    stats socket {RUN}/admin.sock level admin mode 600
    # No maxconn: as many connections as open files allow, for an ALB knows no limit. But where the machine knows none
    # either, HAProxy would make itself a table of a billion entries.
    fd-hard-limit 20000
    tune.bufsize 66560 # the 64 K of headers that an ALB takes, and room to add some
"""


def _defaults(idle: str) -> str:
    """idle: in seconds. It counts from the last byte, as an ALB's does; a slow client is not cut for its slowness."""
    return f"""defaults
    mode http
    log global
    option httplog
    option dontlog-normal # access_logs.s3.enabled is false; errors are told
    option dontlognull
    timeout connect {CONNECT_MS}ms
    timeout client {idle}s
    timeout server {idle}s
    timeout http-keep-alive {idle}s
    # When its configuration changes: at once, a request might be on its way on a connection that is closed.
    option idle-close-on-response
    retries 0 # an ALB is not known to ask another target a second time
"""


def _listener(aws: Balancing) -> str:
    return f"""frontend listener
    bind {LISTENER}
    option disable-h2-upgrade # an ALB speaks HTTP/2 over TLS alone
    unique-id-format {_trace()}
{_client_keep_alive(aws.attributes)}
{rules.routes(aws.rules)}
"""


def _targets(aws: Balancing, hosts: Mapping[str, str], healthy: Collection[str]) -> str:
    """The target group. HAProxy calls a target that does not accept 503, an ALB 502, or 504 when time ran out."""
    target = aws.target_group
    return f"""backend targets
    balance roundrobin
    option allbackups # of equal rank: all those that `fail_open` names
    http-request return status 503 content-type text/plain string "no target is registered" if {{ nbsrv eq 0 }}
{_headers(aws.attributes)}
    http-request set-var(txn.asked) date(0,ms)
    http-response unset-var(txn.asked) # it has answered: its own 503 stays one
    acl too_late date(0,ms),sub(txn.asked) ge {CONNECT_MS - 100} # for a timer may be early
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
    """The slot's second server: without checks, and asked when the checks of every host fail, as an ALB does."""
    return f"{slot}-open"


def _servers(port: int, hosts: Mapping[str, str], healthy: Collection[str]) -> str:
    """Two lines for each slot. A host that is healthy is taken to be so until its checks say otherwise."""
    lines = []
    for slot in SLOTS:
        address = hosts.get(slot)
        serving = address if slot in healthy else None
        lines.append(_server(slot, serving, port, "check"))
        lines.append(_server(fail_open(slot), address, port, "backup"))
    return "\n".join(lines)


def _server(name: str, address: str | None, port: int, how: str) -> str:
    return f"    server {name} {address or '0.0.0.0'}:{port} {how}{'' if address else ' disabled'}"  # noqa: S104 - HAProxy wants an address of a server that has none yet


def _headers(attributes: Mapping[str, str]) -> str:
    """What an ALB does to the headers of a request on its way to a target."""
    drop = attributes.get("routing.http.drop_invalid_header_fields.enabled") == "true"
    lines = [
        "option forwardfor if-none",
        "http-request return status 463 if { req.hdr_cnt(X-Forwarded-For) gt 30 }",
        *(["http-request del-header [^A-Za-z0-9-] -m reg"] if drop else []),
        r'http-request replace-header X-Forwarded-For (.*) "\1, %[src]"',
        "http-request set-header X-Forwarded-Proto http",
        "http-request set-header X-Forwarded-Port %[dst_port]",
        # A Root that came in stays, and so does whatever an application added to it; a Self is ours.
        rf"http-request replace-header {TRACE} (.*)Self=[^;]*;?(.*) \1\2",
        f"http-request set-header {TRACE} Self=%[unique-id];%[req.fhdr({TRACE})] "
        f"if {{ req.fhdr({TRACE}) -m sub Root= }}",
        f"http-request set-header {TRACE} Root=%[unique-id] "
        f"unless {{ req.fhdr({TRACE}) -m sub Root= }}",
    ]
    return "\n".join(f"    {line}" for line in lines)


def _trace() -> str:
    """A format for what an ALB makes: version, time, and 24 hexadecimal digits."""
    part = "bytes(4,4),hex,lower"
    return f"1-%[date,{part}]-" + f"%[rand,{part}]" * 3


def _client_keep_alive(attributes: Mapping[str, str]) -> str:
    """A connection that is older than this is closed after its next answer."""
    seconds = attributes.get("client_keep_alive.seconds", "3600")
    return f"""    tcp-request session set-var(sess.began) date
    http-after-response set-header Connection close if {{ date,sub(sess.began) ge {seconds} }}"""
