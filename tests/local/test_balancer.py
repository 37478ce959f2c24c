"""HAProxy's configuration has the rules, checks, times and endpoint policy of the AWS API."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from local.cloud import balancer, balancer_config, endpoint
from local.cloud.cloud_api import Balancing
from tests.support.balancing import balancing

ZONES = ("10.0.0.3", "10.0.1.3")


def configuration(aws: Balancing, **hosts: list[str]) -> str:
    return balancer_config.configuration(aws, ZONES[::-1], balancer_config.SLOTS, **hosts)


def apply(aws: Balancing, slots: int = balancer_config.SLOTS) -> bool:
    return balancer.apply(aws, ZONES[::-1], slots)


@pytest.fixture
def aws() -> Balancing:
    return balancing()


def test_times_and_thresholds_are_those_of_the_target_group_and_the_balancer(
    aws: Balancing,
) -> None:
    text = configuration(aws)
    assert "default-server inter 5s fall 2 rise 2" in text
    assert "timeout check 4s" in text
    assert "option httpchk GET /health" in text
    assert "http-check expect status 200" in text
    assert "timeout client 60s" in text
    assert "timeout connect 10000ms" in text
    assert "date(0,ms),sub(txn.asked) ge 9900" in text
    assert re.findall(r"server host(\d+) 0\.0\.0\.0:80 check disabled\n", text) == [
        str(number) for number in range(1, 13)
    ]
    changed = aws._replace(
        target_group={**aws.target_group, "HealthCheckPath": "/ready", "UnhealthyThresholdCount": 7}
    )
    assert "option httpchk GET /ready" in configuration(changed)
    assert "fall 7" in configuration(changed)


def test_hosts_that_serve_do_so_from_the_first_moment_of_a_new_configuration(
    aws: Balancing,
) -> None:
    hosts = ["172.30.0.3", "172.30.0.4"]
    text = configuration(aws, hosts=hosts, healthy=hosts[1:])
    assert "    server host2 172.30.0.4:80 check\n" in text
    assert text.count(" check disabled") == balancer_config.SLOTS - 1


def test_hosts_that_are_not_healthy_are_at_hand_for_when_none_is(aws: Balancing) -> None:
    text = configuration(aws, hosts=["172.30.0.3", "172.30.0.4"])
    assert "    server host2 0.0.0.0:80 check disabled\n" in text
    assert "    server host2-open 172.30.0.4:80 backup\n" in text


@pytest.mark.parametrize("drop", [True, False])
def test_header_names_outside_of_the_alphabet_are_dropped_if_the_balancer_says_so(
    aws: Balancing, drop: bool
) -> None:
    key = "routing.http.drop_invalid_header_fields.enabled"
    value = str(drop).lower()
    text = configuration(aws._replace(attributes={**aws.attributes, key: value}))
    assert f"del-header [^A-Za-z0-9-] -m reg if {{ str({value}) -m str true }}" in text


def test_a_connection_may_be_an_hour_old_unless_the_balancer_says_otherwise(aws: Balancing) -> None:
    assert "date,sub(sess.began) ge 3600 }" in configuration(aws)
    changed = aws._replace(attributes={**aws.attributes, "client_keep_alive.seconds": "60"})
    assert "date,sub(sess.began) ge 60 }" in configuration(changed)


class Haproxy:
    """A stand-in that responds on HAProxy's sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands: list[str] = []
        self.response = "Success=1\n--\n"
        self.slots = balancer_config.SLOTS
        # A slot that is not free -> its address, and the status and sessions of its two servers.
        self.rows = {
            "host1": ("172.30.0.4", "UP,2", "no check,1"),
            "host2": ("172.29.0.4", "DOWN 1/2,0", "no check,0"),
            "host3": ("172.29.0.5", "DOWN,0", "DRAIN,0"),
        }

    def respond(self, path: Path, text: str) -> str:
        self.commands.append(text)
        if text == "reload":
            return self.response
        if text == "show stat":
            free = ("0.0.0.0", "MAINT,0", "MAINT,0")  # noqa: S104 - what HAProxy says
            rows = ["# pxname,svname,addr,status,scur", "targets,BACKEND,,UP,3"]
            for slot in (f"host{number}" for number in range(1, self.slots + 1)):
                address, checked, unchecked = self.rows.get(slot, free)
                rows.append(f"targets,{slot},{address}:80,{checked}")
                rows.append(f"targets,{slot}-open,{address}:80,{unchecked}")
            return "\n".join(rows)
        return "\n"


@pytest.fixture
def haproxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Haproxy:
    haproxy = Haproxy(tmp_path)
    for name, file in {
        "CONFIG": "haproxy.cfg",
        "APPLIED": "applied.cfg",
        "MASTER": "m.sock",
    }.items():
        monkeypatch.setattr(balancer, name, tmp_path / file)
    monkeypatch.setattr(balancer, "_request", haproxy.respond)
    return haproxy


def test_haproxy_gets_its_first_configuration_before_it_starts(
    aws: Balancing, haproxy: Haproxy
) -> None:
    assert apply(aws) is False
    assert (haproxy.folder / "haproxy.cfg").read_text() == configuration(aws)
    assert haproxy.commands == []


def test_a_change_is_loaded_once_and_every_host_keeps_its_place(
    aws: Balancing, haproxy: Haproxy
) -> None:
    balancer.MASTER.touch()
    assert apply(aws) is apply(aws) is True
    assert haproxy.commands.count("reload") == 1
    written = (haproxy.folder / "haproxy.cfg").read_text()
    assert "server host1 172.30.0.4:80 check\n" in written  # it serves, and stays healthy
    assert "server host2 0.0.0.0:80 check disabled" in written
    assert "server host2-open 172.29.0.4:80 backup\n" in written
    assert "172.29.0.5" not in written  # it is draining
    placed = [text for text in haproxy.commands if text.startswith("set server")]
    assert placed[0].startswith("set server targets/host2 addr 172.29.0.4;")
    assert "health down" in placed[0]
    assert not any("host3" in text for text in placed)


def test_the_balancer_gets_as_many_places_as_its_hosts_need(
    aws: Balancing, haproxy: Haproxy
) -> None:
    balancer.MASTER.touch()
    haproxy.slots = 28
    haproxy.rows = {f"host{n}": (f"10.0.0.{n}", "UP,0", "no check,0") for n in range(1, 14)}
    del haproxy.rows["host2"]
    assert apply(aws, slots=28) is True
    written = (haproxy.folder / "haproxy.cfg").read_text()
    assert len(re.findall(r"server host\d+ ", written)) == 28
    balancer.register("10.0.0.99")
    assert haproxy.commands[-2].startswith("set server targets/host2 addr 10.0.0.99;")
    # With fewer slots, the hosts move to the first ones, and none is lost.
    assert apply(aws, slots=10) is True
    written = (haproxy.folder / "haproxy.cfg").read_text()
    assert re.findall(r"server (host\d+) 10", written) == [f"host{n}" for n in range(1, 13)]


def test_a_host_without_a_place_waits_with_a_reason(haproxy: Haproxy) -> None:
    haproxy.slots = 3
    with pytest.raises(RuntimeError, match=r"no place for the host at 10\.0\.0\.99 yet"):
        balancer.register("10.0.0.99")


def test_a_change_waits_for_the_requests_of_a_host_that_leaves(
    aws: Balancing, haproxy: Haproxy
) -> None:
    balancer.MASTER.touch()
    haproxy.rows["host3"] = ("172.29.0.5", "DOWN,1", "DRAIN,0")
    assert apply(aws) is True
    assert "reload" not in haproxy.commands
    haproxy.rows["host3"] = ("172.29.0.5", "DOWN,0", "DRAIN,0")
    assert apply(aws) is True
    assert "reload" in haproxy.commands


def test_a_server_is_what_its_checks_say_and_what_both_of_its_lines_count(haproxy: Haproxy) -> None:
    servers = balancer.list_servers()
    assert servers["172.30.0.4"] == ("host1", "172.30.0.4", "UP", 3, False)
    assert servers["172.29.0.4"].unhealthy
    assert not servers["172.29.0.4"].draining
    assert servers["172.29.0.5"].draining
    assert len(servers) == 3


def test_a_configuration_that_haproxy_refuses_is_told_and_tried_again(
    aws: Balancing, haproxy: Haproxy
) -> None:
    balancer.MASTER.touch()
    haproxy.response = "Success=0\n--\n[ALERT] unknown keyword"
    for _ in range(2):
        with pytest.raises(RuntimeError, match="unknown keyword"):
            apply(aws)
    assert haproxy.commands.count("reload") == 2


def test_rules_come_before_the_default_which_answers_by_itself(aws: Balancing) -> None:
    text = configuration(aws)
    assert "    use_backend targets if { path -m reg ^/$ ^/now$ }\n" in text
    assert text.index("use_backend targets") < text.index("default_backend fixed1")
    response = re.search(
        r'backend fixed1\n    http-request return status 404 content-type "(.+?)" string "(.+)"\n',
        text,
    )
    assert response
    assert response[1] == "application/json"
    assert "error" in json.loads(response[2].replace('\\"', '"'))


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/now", "/now", True),
        ("/now", "/nowhere", False),
        ("/now", "/NOW", False),
        ("/", "/now", False),
        ("/a.b", "/axb", False),
        ("/img/*", "/img/a/b", True),
        ("/v?", "/v1", True),
        ("/v?", "/v12", False),
    ],
)
def test_a_path_pattern_means_what_it_means_to_an_alb(
    pattern: str, path: str, matches: bool
) -> None:
    assert bool(re.search(endpoint.pattern(pattern), path)) is matches


def test_the_s3_endpoint_is_found_in_the_zones_alone(aws: Balancing) -> None:
    text = configuration(aws)
    assert re.findall(r"bind (\S+)", text) == [":80", "10.0.0.3:4566", "10.0.1.3:4566"]


def allowed(aws: Balancing) -> list[tuple[str, str]]:
    """Methods and path expressions that the S3 endpoint lets through."""
    return re.findall(
        r"set-var\(txn.allowed\) bool\(true\) if { method ([A-Z ]+) } { path -m reg (\S+) }",
        configuration(aws),
    )


@pytest.mark.parametrize(
    ("method", "path", "passes"),
    [
        ("GET", "/artifacts/images/0123.tar.gz", True),
        ("HEAD", "/artifacts/images/0123.tar.gz", True),
        ("PUT", "/artifacts/images/0123.tar.gz", False),
        ("GET", "/artifacts-of-others/secret", False),
        ("GET", "/", False),
        ("PUT", "/_ministack/cfn-signal/abc", True),
        ("GET", "/_ministack/cfn-signal/abc", False),
        ("GET", "/al2023-repos-us-east-1-de612dc2/core/repodata/repomd.xml", True),
    ],
)
def test_the_s3_endpoint_lets_through_what_its_policy_names(
    aws: Balancing, method: str, path: str, passes: bool
) -> None:
    hits = [
        expression
        for methods, expression in allowed(aws)
        if method in methods.split() and re.search(expression, path)
    ]
    assert bool(hits) is passes


def test_a_policy_that_denies_is_refused_rather_than_misread(aws: Balancing) -> None:
    policy = {"Statement": [{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}]}
    with pytest.raises(ValueError, match="only Allow"):
        configuration(aws._replace(endpoint_policy=policy))
