"""What is reachable, computed from a deployment's state: as deployed, and changed by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deployment.errors import UserError
from ops.reach.__main__ import compute_reach, format_report, main
from ops.reach.ingress import format_ports, has_port, has_public_address
from ops.reach.state import State, read_state
from tests.cfn.permissions.emulator import Emulator
from tests.cfn.permissions.signals import hosts_signal
from tests.ops.reach.by_hand import MUTATIONS
from tests.ops.reach.cloud import EVERYWHERE, Cloud
from tests.ops.reach.states import STATES, add_a_host_as_on_aws

pytestmark = pytest.mark.integration


def find_problems(cloud: Cloud) -> list[str]:
    return compute_reach(read_state(cloud.target)).problems


@pytest.fixture(scope="module")
def deployment(emulator: Emulator) -> Iterator[Cloud]:
    with hosts_signal(emulator):
        cloud = Cloud(emulator)
    yield cloud
    assert find_problems(cloud) == []  # the test has undone each change


@pytest.fixture(scope="module")
def untouched(deployment: Cloud) -> State:
    return read_state(deployment.target)


@pytest.fixture
def cloud(untouched: State, deployment: Cloud) -> Iterator[Cloud]:
    yield deployment
    deployment.restore()


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_change_by_hand_is_named(cloud: Cloud, mutate: Callable[[Cloud], str]) -> None:
    complaint = mutate(cloud)
    problems = find_problems(cloud)
    assert any(complaint in problem for problem in problems), (complaint, problems)


def test_what_does_not_open_anything_is_not_named(cloud: Cloud) -> None:
    """All of these changes together are no problem."""
    cloud.let_in(cloud.balancer, "tcp", 22, IpRanges=[{"CidrIp": "10.0.0.0/8"}])
    cloud.let_in(cloud.host, "-1", -1, IpRanges=[{"CidrIp": "192.168.1.0/24"}])
    cloud.let_in(cloud.balancer, "tcp", 22, Ipv6Ranges=[{"CidrIpv6": "fd00::/8"}])
    cloud.let_in(cloud.host, "tcp", 80, UserIdGroupPairs=[{"GroupId": cloud.host}])
    cloud.let_in(
        cloud.balancer, "tcp", 80, IpRanges=[{"CidrIp": "198.51.100.0/24", "Description": "twice"}]
    )
    cloud.ec2.create_tags(
        Resources=[cloud.balancer, cloud.private[0]], Tags=[{"Key": "owner", "Value": "me"}]
    )
    cloud.ec2.allocate_address(Domain="vpc")
    cloud.listen(9000, cloud.second_balancer("internal"))
    cloud.ec2.create_security_group(
        GroupName="new", Description="new", VpcId=cloud.outputs["VpcId"]
    )
    cloud.ec2.create_route_table(VpcId=cloud.outputs["VpcId"])
    other = cloud.ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
    elsewhere = cloud.ec2.create_security_group(GroupName="open", Description="open", VpcId=other)[
        "GroupId"
    ]
    cloud.let_in(elsewhere, "-1", -1, **EVERYWHERE)
    cloud.client("s3").create_bucket(Bucket="somebody-elses")
    assert find_problems(cloud) == []


@pytest.mark.parametrize("mutate", STATES, ids=lambda mutate: mutate.__name__)
def test_a_state_is_judged(untouched: State, mutate: Callable[[State], str]) -> None:
    state = copy.deepcopy(untouched)
    assert compute_reach(state).problems == []
    complaint = mutate(state)
    problems = compute_reach(state).problems
    assert any(complaint in problem for problem in problems), (complaint, problems)


def test_what_aws_tells_and_the_local_cloud_does_not_is_no_door(untouched: State) -> None:
    """AWS lists interfaces of the balancer and of a host."""
    state = copy.deepcopy(untouched)
    add_a_host_as_on_aws(state)
    name = state.balancers[0]["LoadBalancerName"]
    interface = {"NetworkInterfaceId": "eni-2", "Description": f"ELB app/{name}/0123456789abcdef"}
    address = {"Association": {"PublicIp": "198.51.100.2"}}
    state.interfaces.append({**interface, **address, "SubnetId": "subnet-1", "Groups": []})
    assert compute_reach(state).problems == []


def test_the_report_tells_doors_exits_and_reasons(untouched: State) -> None:
    text = format_report(compute_reach(untouched))
    assert "IPv4  tcp 80\n      routed by rtb-" in text
    assert "tcp 443 com.amazonaws.us-east-1.s3" in text
    assert text.splitlines()[-1] == "OK: the load balancer's port 80 over IPv4, and nothing else"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("10.0.0.0/7", True),  # half of it is on the Internet
        ("203.0.113.7/32", True),
        ("172.32.0.0/16", True),
        ("10.42.0.0/16", False),
        ("172.31.0.1/16", False),
        ("100.64.0.0/10", False),
        ("fd12::/48", False),
        ("2600:1f18::/64", True),
    ],
)
def test_a_block_is_public_if_any_address_of_it_may_be(block: str, expected: bool) -> None:
    assert has_public_address(block) is expected


def rule(protocol: str, first: int = -1, last: int = -1) -> dict[str, Any]:
    return {"IpProtocol": protocol, "FromPort": first, "ToPort": last}


@pytest.mark.parametrize(
    ("rule", "expected", "has_tcp_80", "has_udp_80"),
    [
        (rule("tcp", 80, 80), "tcp 80", True, False),
        (rule("6", 22, 80), "tcp 22-80", True, False),
        (rule("tcp", 81, 65535), "tcp 81-65535", False, False),
        (rule("tcp", 0, 79), "tcp 0-79", False, False),
        (rule("17", 0, 65535), "udp 0-65535", False, True),
        (rule("icmpv6"), "icmp", False, False),
        (rule("50"), "50", False, False),
        ({"IpProtocol": "-1"}, "all", True, True),
    ],
)
def test_a_rule_s_ports_are_printed_and_compared(
    rule: dict[str, Any], expected: str, has_tcp_80: bool, has_udp_80: bool
) -> None:
    assert format_ports(rule) == expected
    assert has_port(rule, "tcp", 80) == has_tcp_80
    assert has_port(rule, "udp", 80) == has_udp_80


def test_the_command_says_so_with_its_exit_code(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ops.reach.__main__.get_target", lambda args: cloud.target)
    assert main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("OK: ")
    cloud.listen(8080)
    assert main([]) == 1
    assert "WRONG: load balancer" in capsys.readouterr().out
    empty = cloud.target._replace(deployment="timeservice-nowhere")
    monkeypatch.setattr("ops.reach.__main__.get_target", lambda args: empty)
    assert main([]) == 3
    assert "nothing of timeservice-nowhere is deployed" in capsys.readouterr().err


def test_a_cloud_that_is_not_up_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def down(args: object) -> None:
        raise UserError("the local cloud is not up; make up starts it")

    monkeypatch.setattr("ops.reach.__main__.get_target", down)
    assert main([]) == 3
    assert capsys.readouterr().err == "\nerror: the local cloud is not up; make up starts it\n"
    with pytest.raises(SystemExit, match="2"):
        main(["--nonsense"])
