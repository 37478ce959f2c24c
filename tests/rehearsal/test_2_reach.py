"""From outside, only port 80 is reached, and from a host only S3. Packets show it, and `make reach`
agrees.

The Internet is here: the network NAME-internet, on which the healthcheck's function asks for the
load balancer's public name, and this machine, which reaches it by the port that Docker publishes.
For hosts, this machine is the Internet as well. Packets that leave a container pass this machine,
so a host with a route would reach a server that listens here.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import docker
import pytest
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from drills.clone import Clone
from tests.rehearsal import packets
from tests.rehearsal.cloud import LABEL, NAME, aws, hosts, run
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.rehearsal

PACKETS = Path(packets.__file__).read_text()
IPV6 = Path("/proc/net/if_inet6").exists()
NAMESERVER = "outside.example"  # the only name of the DNS server on this Internet
Start = Callable[..., Container]


class Internet(NamedTuple):
    """An ordinary network of Docker's, and a server on this machine's addresses in it."""

    network: str
    ipv4: str
    ipv6: str


def packet(where: Container, command: str, *arguments: str) -> Any:
    """Run packets.py in a container; returns what it says."""
    status, output = run(where, "python3", "-c", PACKETS, command, *arguments)
    assert status == 0, output
    return json.loads(output)


def probes(where: Container, targets: list[tuple[str, str, int]]) -> dict[str, str]:
    """Return the outcome of each packet: "udp 192.0.2.1 53" -> answered, refused, nothing or no
    way."""
    found = packet(where, "probe", json.dumps(targets))
    return {
        f"{kind} {to} {port}": outcome
        for (kind, to, port), outcome in zip(targets, found, strict=True)
    }


def address(container: Container, network: str) -> str:
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"][f"{NAME}-{network}"]["IPAddress"])


@pytest.fixture(scope="module")
def start(engine: docker.DockerClient) -> Iterator[Start]:
    """Starts a container of the local cloud's image; it goes with this module."""
    image = engine.containers.get(f"{NAME}-api").image
    assert image is not None
    started: list[Container] = []

    def start(*command: str, **options: Any) -> Container:
        labels = {"timeservice.deployment": NAME}
        made = engine.containers.run(
            image, list(command or ("sleep", "600")), detach=True, labels=labels, **options
        )
        started.append(made)
        return made

    yield start
    for container in started:
        container.remove(force=True)


@pytest.fixture(scope="module")
def internet(engine: docker.DockerClient, start: Start) -> Iterator[Internet]:
    pools = [IPAMPool("fd9c:7a3e:51b0::/64", gateway="fd9c:7a3e:51b0::1")] if IPV6 else []
    network = engine.networks.create(
        f"{NAME}-outside",
        enable_ipv6=IPV6,
        ipam=IPAMConfig(pool_configs=pools) if pools else None,
        labels={"timeservice.deployment": NAME},
    )
    try:
        network.reload()
        gateways = [config["Gateway"].split("/")[0] for config in network.attrs["IPAM"]["Config"]]
        ipv4 = next(gateway for gateway in gateways if "." in gateway)
        ipv6 = next((gateway for gateway in gateways if ":" in gateway), "")
        # Without a container on it, the bridge is down and has no addresses.
        start(network=network.name)
        command = ["python3", "-c", PACKETS, "serve", ipv4, *([ipv6] if ipv6 else [])]
        server = start(*command, network_mode="host")
        wait_until(lambda: b"ready" in server.logs(), server.logs)
        yield Internet(str(network.name), ipv4, ipv6)
    finally:
        network.reload()
        for member in network.containers:
            network.disconnect(member, force=True)
        network.remove()


@pytest.fixture(scope="module")
def outsider(internet: Internet, start: Start) -> Container:
    """A container on the Internet, with a route, which uses the Internet's DNS server."""
    return start(network=internet.network, dns=[internet.ipv4])


# From outside


def test_exactly_one_port_is_published_and_to_this_machine_only(
    clone: Clone, engine: docker.DockerClient
) -> None:
    published = [
        (binding["HostIp"], binding["HostPort"])
        for container in engine.containers.list(filters=LABEL)
        for bindings in container.attrs["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    ]
    assert published == [("127.0.0.1", str(clone.port))]
    assert packets.probe("tcp", "127.0.0.1", clone.port) == "answered"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("192.0.2.1", 9))  # this sends no packet
        others = asking.getsockname()[0]
    assert packets.probe("tcp", others, clone.port) == "refused"


def test_a_scan_of_all_ports_finds_what_the_api_says_is_reachable(
    clone: Clone, engine: docker.DockerClient, start: Start
) -> None:
    """The Internet scans the load balancer's public address, and this machine scans its
    container."""
    done = clone.make("reach")
    assert done.status == 0
    computed = re.findall(r"^  load balancer \S+ +IPv4 +tcp (.+)$", done.output, re.MULTILINE)
    assert done.output.count(" IPv4 ") == len(computed) == 1
    assert "IPv6 " not in done.output
    balancer = engine.containers.get(f"{NAME}-balancer")
    visitor = start(network=f"{NAME}-internet")
    scanned = packet(visitor, "scan", address(balancer, "internet"))
    assert scanned == packets.scan(address(balancer, "edge")) == [int(port) for port in computed]


def test_a_host_is_reached_by_the_balancer_alone(
    engine: docker.DockerClient, outsider: Container, start: Start
) -> None:
    """A host is not reached from the Internet, from another network of this machine, or from the
    host of the other zone.

    Only an answer of the host itself counts: a router may answer for an address that nobody here
    has.
    """
    visitor = start(network=f"{NAME}-internet")
    balancer = engine.containers.get(f"{NAME}-balancer")
    host, other = hosts(engine)
    url = f"http://{address(host, host.labels['timeservice.zone'])}/now"
    ask = ("curl", "-s", "-m", "5", url)
    wait_until(lambda: host.labels["timeservice.instance"] in run(balancer, *ask)[1])
    for container in (visitor, outsider, other):
        assert host.labels["timeservice.instance"] not in run(container, *ask)[1]


# From a host


def test_no_packet_of_a_host_leaves_its_zone(
    engine: docker.DockerClient, internet: Internet, outsider: Container
) -> None:
    """The packets are DNS, time, TCP, UDP and ICMP, to a server that responds to anyone with a
    route."""
    targets = [("tcp", internet.ipv4, port) for port in packets.TCP]
    targets += [("udp", internet.ipv4, port) for port in packets.UDP]
    targets += [("icmp", internet.ipv4, 0)]
    assert set(probes(outsider, targets).values()) == {"answered"}
    for host in hosts(engine):
        assert set(probes(host, targets).values()) == {"no way"}
        assert "default" not in run(host, "ip", "route")[1]


@pytest.mark.skipif(not IPV6, reason="this machine has no IPv6 that a container could use")
def test_no_packet_of_a_host_leaves_its_zone_over_ipv6(
    engine: docker.DockerClient, internet: Internet, outsider: Container
) -> None:
    targets = [("tcp", internet.ipv6, 443), ("udp", internet.ipv6, 53)]
    assert set(probes(outsider, targets).values()) == {"answered"}
    for host in hosts(engine):
        assert set(probes(host, targets).values()) == {"no way"}
        assert run(host, "ip", "-6", "address") == (0, "")


def test_no_name_outside_of_the_deployment_resolves_in_a_zone(
    engine: docker.DockerClient, internet: Internet, outsider: Container, start: Start
) -> None:
    """Docker's own resolver could pass a request on. (Amazon's does: a host on AWS resolves every
    public name.)"""
    asked = ("name", NAMESERVER, 0)
    assert probes(outsider, [asked]) == {f"name {NAMESERVER} 0": "answered"}
    host = hosts(engine)[0]
    zone = f"{NAME}-{host.labels['timeservice.zone']}"
    insider = start(network=zone, dns=[internet.ipv4])
    assert probes(insider, [asked]) == {f"name {NAMESERVER} 0": "no way"}
    names = [("name", name, 0) for name in (NAMESERVER, "example.com", "time.aws.com")]
    assert set(probes(host, names).values()) == {"no way"}
    assert probes(host, [("name", "cloud.internal", 0)]) == {"name cloud.internal 0": "answered"}


PARTS = ("api", "balancer", "controller", "time")


def test_a_host_finds_the_s3_endpoint_the_balancer_and_the_time_in_its_zone(
    engine: docker.DockerClient,
) -> None:
    """A host reaches only these ports. On AWS it does not reach the balancer's port 80, which its
    security group forbids."""
    host = hosts(engine)[0]
    zone = host.labels["timeservice.zone"]
    assert packet(host, "scan", address(engine.containers.get(f"{NAME}-balancer"), zone)) == [
        80,
        4566,
    ]
    assert packet(host, "scan", address(engine.containers.get(f"{NAME}-time"), zone)) == []
    assert set(probes(host, [("ntp", "169.254.169.123", 123)]).values()) == {"answered"}


def test_a_host_finds_nobody_else(engine: docker.DockerClient) -> None:
    """A host reaches neither this machine (at the first address of the zone), nor the other host,
    nor any other part."""
    parts = [engine.containers.get(f"{NAME}-{part}") for part in PARTS]
    first, other = hosts(engine)
    for host, another in ((first, other), (other, first)):
        zone = f"{NAME}-{host.labels['timeservice.zone']}"
        (pool,) = engine.networks.get(zone).attrs["IPAM"]["Config"]
        there = [pool["Gateway"], address(another, another.labels["timeservice.zone"])]
        for part in parts:
            networks = part.attrs["NetworkSettings"]["Networks"]
            there += [at["IPAddress"] for name, at in networks.items() if name != zone]
        targets = [("tcp", to, port) for to in there for port in (22, 80, 2375, 4566)]
        targets += [("udp", to, 123) for to in there] + [("icmp", to, 0) for to in there]
        found = probes(host, targets)
        assert set(found.values()) <= {"no way", "nothing"}, found


@pytest.fixture(scope="module")
def objects(engine: docker.DockerClient) -> Iterator[dict[str, str]]:
    """The deployment's bucket, and another account's that anybody may read."""
    s3, theirs = aws(engine, "s3"), "somebody-elses"
    (bucket,) = (
        listed["Name"] for listed in s3.list_buckets()["Buckets"] if "-artifacts-" in listed["Name"]
    )
    key = s3.list_objects_v2(Bucket=bucket, Prefix="images/")["Contents"][0]["Key"]
    s3.create_bucket(Bucket=theirs)
    s3.delete_public_access_block(Bucket=theirs)
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    statement = {**everybody, "Resource": f"arn:aws:s3:::{theirs}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=theirs, Policy=policy)
    keys = ("secret", f"{bucket}/{key}")
    for name in keys:
        s3.put_object(Bucket=theirs, Key=name, Body=b"secret")
    yield {"bucket": bucket, "key": key}
    for name in keys:
        s3.delete_object(Bucket=theirs, Key=name)
    s3.delete_bucket(Bucket=theirs)


def answer(where: Container, url: str, *options: str) -> str:
    """Status and content type."""
    form = "%{http_code} %{content_type}"
    ask = ("curl", "-s", "-m", str(PATIENCE), "-o", "/dev/null", "-w", form)
    return run(where, *ask, *options, url)[1]


def signature_options(service: str) -> list[str]:
    """Sign with the account's root key, which is public here, so that only the endpoint can
    refuse."""
    return ["--aws-sigv4", f"aws:amz:us-east-1:{service}", "--user", "test:test"]


OBJECT = "200 application/octet-stream"
ENDPOINT = "403 text/html"  # the endpoint refuses
S3 = "403 application/xml"  # S3 refuses an unsigned request for an object
THEIRS = ["-H", "Host: somebody-elses.s3.amazonaws.com"]
AS_IS = ["--path-as-is"]


@pytest.mark.parametrize(
    ("expected", "path", "options"),
    [
        (OBJECT, "/{bucket}/{key}", signature_options("s3")),
        (OBJECT, "/{bucket}/{key}", [*signature_options("s3"), "-I"]),
        (S3, "/{bucket}/{key}", []),
        # Another bucket, by any of the ways to name one
        (ENDPOINT, "/somebody-elses/secret", signature_options("s3")),
        (ENDPOINT, "/somebody-elses/secret", []),
        (ENDPOINT, "/secret", THEIRS),
        (S3, "/{bucket}/{key}", THEIRS),
        (S3, "/{bucket}/../somebody-elses/secret", AS_IS),
        (S3, "/{bucket}/%2e%2e/somebody-elses/secret", AS_IS),
        (ENDPOINT, "/{bucket}%2f..%2fsomebody-elses/secret", AS_IS),
        # Lists and settings
        (ENDPOINT, "/", signature_options("s3")),
        (ENDPOINT, "/{bucket}", signature_options("s3")),
        (ENDPOINT, "/{bucket}/", signature_options("s3")),
        (ENDPOINT, "/{bucket}/?list-type=2", signature_options("s3")),
        (ENDPOINT, "/{bucket}/?policy", signature_options("s3")),
        (ENDPOINT, "/{bucket}/{key}?acl", signature_options("s3")),
        # Changes
        (ENDPOINT, "/{bucket}/new", [*signature_options("s3"), "-X", "PUT", "-d", "x"]),
        (ENDPOINT, "/{bucket}/{key}", [*signature_options("s3"), "-X", "DELETE"]),
        (ENDPOINT, "/{bucket}/{key}?uploads", [*signature_options("s3"), "-X", "POST"]),
        (ENDPOINT, "/somebody-elses/new", [*signature_options("s3"), "-X", "PUT", "-d", "x"]),
        # Other services and other servers
        (ENDPOINT, "/{bucket}/{key}?Action=DescribeInstances", signature_options("ec2")),
        (ENDPOINT, "/{bucket}/{key}", signature_options("iam")),
        (ENDPOINT, "/{bucket}/{key}", ["-H", "X-Amz-Target: secretsmanager.ListSecrets"]),
        (ENDPOINT, "/_ministack/health", []),
        (ENDPOINT, "/", ["-H", "Host: example.com"]),
    ],
)
def test_the_s3_endpoint_gives_a_host_the_objects_of_its_bucket_and_nothing_else(
    engine: docker.DockerClient,
    objects: dict[str, str],
    expected: str,
    path: str,
    options: list[str],
) -> None:
    url = f"http://cloud.internal:4566{path.format(**objects)}"
    assert answer(hosts(engine)[0], url, *options) == expected


def test_somebody_else_s_bucket_is_open_to_whoever_reaches_it(
    engine: docker.DockerClient, objects: dict[str, str]
) -> None:
    """This shows that the endpoint refuses a host, and not the bucket."""
    api = engine.containers.get(f"{NAME}-api")
    for path, options in (("/somebody-elses/secret", []), ("/secret", THEIRS)):
        assert answer(api, f"http://127.0.0.1:4566{path}", *options).startswith("200 ")
