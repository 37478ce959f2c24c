"""HAProxy's configuration says what the AWS API says: rules, checks, times, and the S3 endpoint's policy."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("DEPLOYMENT", "test")
os.environ.setdefault("AWS_REGION", "us-east-1")

from local.stage import balancer, cloud_api
from local.stage.cloud_api import Balancing
from tests.templates import attributes, the


def as_the_api_returns_it(properties: dict[str, Any]) -> dict[str, Any]:
    return {**properties, "IsDefault": False}


@pytest.fixture
def aws() -> Balancing:
    """What the API would return for our own templates."""
    target = the("ElasticLoadBalancingV2::TargetGroup")
    default = {
        "IsDefault": True,
        "Conditions": [],
        "Actions": the("ElasticLoadBalancingV2::Listener")["DefaultActions"],
    }
    policy = the("EC2::VPCEndpoint")["PolicyDocument"]
    values = {"ArtifactsBucket": "artifacts", "AWS::Region": "us-east-1", "AWS::Partition": "aws"}
    return Balancing(
        load_balancer={},
        attributes=attributes(the("ElasticLoadBalancingV2::LoadBalancer")),
        target_group=target,
        target_attributes=attributes(target),
        rules=[as_the_api_returns_it(the("ElasticLoadBalancingV2::ListenerRule")), default],
        endpoint_policy=cloud_api._resolved(policy, values),
    )


def test_times_and_thresholds_are_those_of_the_target_group_and_the_balancer(
    aws: Balancing,
) -> None:
    text = balancer.configuration(aws)
    assert "default-server inter 5s fall 2 rise 2" in text
    assert "timeout check 4s" in text
    assert "option httpchk GET /health" in text
    assert "http-check expect status 200" in text
    assert "timeout client 60s" in text
    assert "server host1 0.0.0.0:80 check disabled" in text
    changed = aws._replace(
        target_group={**aws.target_group, "HealthCheckPath": "/ready", "UnhealthyThresholdCount": 7}
    )
    assert "option httpchk GET /ready" in balancer.configuration(changed)
    assert "fall 7" in balancer.configuration(changed)


def test_hosts_that_serve_do_so_from_the_first_moment_of_a_new_configuration(
    aws: Balancing,
) -> None:
    text = balancer.configuration(aws, {"host2": "172.30.0.4"})
    assert "    server host2 172.30.0.4:80 check\n" in text
    assert text.count(" disabled") == balancer.SLOTS - 1


class Haproxy:
    """Answers on HAProxy's sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.answer = "Success=1\n--\n"
        self.rows = [
            "host1,172.30.0.4:80,UP,2",
            "host2,172.29.0.4:80,DOWN 1/2,0",
            "host3,172.29.0.5:80,DRAIN,1",
            "host4,0.0.0.0:80,MAINT,0",
        ]

    def ask(self, path: Path, text: str) -> str:
        self.said.append(text)
        if text == "reload":
            return self.answer
        if text == "show stat":
            rows = "".join(f"targets,{row}\n" for row in self.rows)
            return "# pxname,svname,addr,status,scur\n" + rows
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
    monkeypatch.setattr(balancer, "_ask", haproxy.ask)
    return haproxy


def test_haproxy_gets_its_first_configuration_before_it_starts(
    aws: Balancing, haproxy: Haproxy
) -> None:
    assert balancer.apply(aws) is False
    assert (haproxy.folder / "haproxy.cfg").read_text() == balancer.configuration(aws)
    assert haproxy.said == []


def test_a_change_is_loaded_once_and_every_host_keeps_its_place(
    aws: Balancing, haproxy: Haproxy
) -> None:
    balancer.MASTER.touch()
    assert balancer.apply(aws) is balancer.apply(aws) is True
    assert haproxy.said.count("reload") == 1
    written = (haproxy.folder / "haproxy.cfg").read_text()
    assert "server host1 172.30.0.4:80 check\n" in written  # it serves, and goes on
    assert "server host2 0.0.0.0:80 check disabled" in written
    assert haproxy.said[-1].startswith("set server targets/host2 addr 172.29.0.4;")
    assert "health down" in haproxy.said[-1]


def test_a_configuration_that_haproxy_refuses_is_told_and_tried_again(
    aws: Balancing, haproxy: Haproxy
) -> None:
    balancer.MASTER.touch()
    haproxy.answer = "Success=0\n--\n[ALERT] unknown keyword"
    for _ in range(2):
        with pytest.raises(RuntimeError, match="unknown keyword"):
            balancer.apply(aws)
    assert haproxy.said.count("reload") == 2


def test_rules_come_before_the_default_which_answers_by_itself(aws: Balancing) -> None:
    text = balancer.configuration(aws)
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
    assert bool(re.search(balancer._pattern(pattern), path)) is matches


def allowed(aws: Balancing) -> list[tuple[str, str]]:
    """Methods and path expressions that the S3 endpoint lets through."""
    return re.findall(
        r"set-var\(txn.allowed\) bool\(true\) if { method ([A-Z ]+) } { path -m reg (\S+) }",
        balancer.configuration(aws),
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
        balancer.configuration(aws._replace(endpoint_policy=policy))
