"""The cost: totals as literals, known resource types, and what the prices assume."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployment import ROOT
from deployment.settings import Settings
from deployment.template import Template
from local.program import load_settings
from local.project import parse_config
from ops import cost
from tests.support.templates import RESOURCES, TEMPLATES, attributes, launch_template, of_type, the

# Computed on 2026-11-28 by the model that this one replaced: a month in US dollars, and, with the
# hosts of maxHosts, an hour.
LARGE = "instanceType=t3.small cpuCredits=unlimited minHosts=3 maxHosts=4"
ALL = (
    "instanceType=t3.small cpuCredits=unlimited minHosts=2 maxHosts=9 alertEmail=ops@example.org "
    "checkEvery=15 reviewer=user"
)
BUDGET = "alertEmail=ops@example.org budget=25"
ROLE = "reviewer=role reviewerAccount=123456789012 reviewerExternalId=abc"
TOTALS = [
    ("us-east-1", None, "", 40.423106, 0.055374117808),
    ("us-east-1", None, LARGE, 71.431106, 0.119527542466),
    ("us-east-1", None, "instanceType=t3.small", 55.607106, 0.076174117808),
    ("us-east-1", None, "cpuCredits=unlimited", 40.423106, 0.055374117808),
    ("us-east-1", None, "maxHosts=6", 40.423106, 0.100480967123),
    ("us-east-1", None, "minHosts=4 maxHosts=4", 56.887106, 0.077927542466),
    ("us-east-1", None, "checkEvery=5", 40.423106, 0.055374117808),
    ("us-east-1", None, "checkEvery=15", 40.423106, 0.055374117808),
    ("us-east-1", None, "alertEmail=ops@example.org", 40.423106, 0.055374117808),
    ("us-east-1", None, BUDGET, 40.423106, 0.055374117808),
    ("us-east-1", None, "reviewer=user", 40.423106, 0.055374117808),
    ("us-east-1", None, ROLE, 40.423106, 0.055374117808),
    ("us-east-1", None, ALL, 55.607106, 0.227911104110),
    ("us-east-1", 3, "", 48.655106, 0.055374117808),
    ("us-east-1", 3, LARGE, 71.431106, 0.119527542466),
    ("us-east-1", 3, ALL, 71.431106, 0.227911104110),
    ("us-east-1", 10, "", 106.279106, 0.055374117808),
    ("eu-west-1", None, "", 43.982106, 0.060249460274),
    ("eu-west-1", None, LARGE, 77.974106, 0.130578227397),
    ("eu-west-1", None, "instanceType=t3.small", 60.626106, 0.083049460274),
    ("eu-west-1", None, "cpuCredits=unlimited", 43.982106, 0.060249460274),
    ("eu-west-1", None, "maxHosts=6", 43.982106, 0.109706994521),
    ("eu-west-1", None, "minHosts=4 maxHosts=4", 62.034106, 0.084978227397),
    ("eu-west-1", None, "checkEvery=5", 43.982106, 0.060249460274),
    ("eu-west-1", None, "checkEvery=15", 43.982106, 0.060249460274),
    ("eu-west-1", None, "alertEmail=ops@example.org", 43.982106, 0.060249460274),
    ("eu-west-1", None, BUDGET, 43.982106, 0.060249460274),
    ("eu-west-1", None, "reviewer=user", 43.982106, 0.060249460274),
    ("eu-west-1", None, ROLE, 43.982106, 0.060249460274),
    ("eu-west-1", None, ALL, 60.626106, 0.249400145205),
    ("eu-west-1", 3, "", 53.008106, 0.060249460274),
    ("eu-west-1", 3, LARGE, 77.974106, 0.130578227397),
    ("eu-west-1", 3, ALL, 77.974106, 0.249400145205),
    ("eu-west-1", 10, "", 116.190106, 0.060249460274),
]


def load(config: str) -> Settings:
    return load_settings(parse_config(config), "make cost")


def list_lines(config: str = "", region: str = "us-east-1", hosts: int = 2) -> list[cost.Line]:
    return cost.list_lines(load(config), region, hosts)


@pytest.mark.parametrize(("region", "hosts", "config", "month", "hour_at_most"), TOTALS)
def test_the_totals_are_those_of_2026_11_28(
    region: str, hosts: int | None, config: str, month: float, hour_at_most: float
) -> None:
    chosen = load(config)
    lines = cost.list_lines(chosen, region, hosts or chosen.min_hosts)
    assert cost.get_month(lines) == pytest.approx(month, rel=1e-9)
    most = cost.list_lines(chosen, region, chosen.max_hosts)
    assert cost.get_month(most) / 730 == pytest.approx(hour_at_most, rel=1e-9)


@pytest.mark.parametrize(
    ("region", "hosts", "by_hand"),
    [
        # The balancer, two addresses, the hosts with 8 GB each, a 25th of a capacity unit, and
        # 0.022 GB of archives.
        (
            "us-east-1",
            2,
            730 * (0.0225 + 2 * 0.005 + 2 * 0.0104 + 0.008 / 25) + 2 * 8 * 0.08 + 0.022 * 0.023,
        ),
        (
            "eu-west-1",
            4,
            730 * (0.0252 + 2 * 0.005 + 4 * 0.0114 + 0.008 / 25) + 4 * 8 * 0.088 + 0.022 * 0.023,
        ),
    ],
)
def test_a_month_is_the_sum_by_hand(region: str, hosts: int, by_hand: float) -> None:
    assert cost.get_month(list_lines("", region, hosts)) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("config", "name", "quantity"),
    [
        ("", "hosts, t3.micro", 2 * 730),
        ("instanceType=t3.small", "hosts, t3.small", 2 * 730),
        ("instanceType=t4g.micro", "hosts, t4g.micro", 2 * 730),
        ("", "hosts: volumes", 2 * 8),
        ("", "load balancer", 730),
        ("", "load balancer: public IPv4 addresses", 2 * 730),
        ("", "load balancer: data to the Internet", 685 * 3_600 * 730 / 1e9),
        ("", "healthcheck: runs", 730 * 60),
        ("checkEvery=15", "healthcheck: runs", 730 * 4),
        ("", "healthcheck: memory x time", 730 * 60 * 0.25),
        ("", "healthcheck: metrics", 4),
        ("", "healthcheck: writes of metrics", 730 * 60),
        ("", "healthcheck: log, written", 730 * 60 * 2_000 / 1e9),
        ("", "healthcheck: log, kept", 730 * 60 * 2_000 / 1e9 * 14 * 24 / 730),
        ("", "dashboard", 1),
        # 300 views of four queries, each of three hours of checks
        ("", "dashboard: log queries", 300 * 4 * 180 * 2_000 / 1e9),
        ("", "alarms", 5),
        ("maxHosts=3", "alarms of the scaling policy", 2),
        ("", "notifications", 100),
        ("alertEmail=ops@example.org", "notifications: mails", 100),
    ],
)
def test_templates_and_settings_give_the_quantities(
    config: str, name: str, quantity: float
) -> None:
    (line,) = (line for line in list_lines(config) if line.name == name)
    assert line.quantity == pytest.approx(quantity)


def test_what_is_always_free_is_not_due_and_is_shared_by_the_logs() -> None:
    lines = {line.name: line for line in list_lines()}
    free = [name for name, line in lines.items() if line.due == 0]
    assert free == [
        "load balancer: data to the Internet",
        "healthcheck: runs",
        "healthcheck: memory x time",
        "healthcheck: metrics",
        "healthcheck: writes of metrics",
        "healthcheck: log, written",
        "healthcheck: log, kept",
        "dashboard",
        "dashboard: log queries",
        "alarms",
        "notifications",
    ]


def test_an_allowance_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cost.PRICES["always free"], "logs", [0.1, "cloudwatch"])
    lines = {line.name: line for line in list_lines()}
    written, kept = lines["healthcheck: log, written"], lines["healthcheck: log, kept"]
    assert written.free == pytest.approx(0.0876)
    assert kept.free == pytest.approx(0.1 - 0.0876)
    assert lines["dashboard: log queries"].free == 0


@pytest.mark.parametrize("config", ["", "maxHosts=3 alertEmail=ops@example.org"])
def test_each_thing_comes_before_what_belongs_to_it(config: str) -> None:
    names = [line.name for line in list_lines(config)]
    assert len(set(names)) == len(names)
    for number, name in enumerate(names):
        owner = name.partition(":")[0]
        assert not owner.startswith(("its", "their"))
        # The healthcheck is no line of its own, and the hosts' line has their type.
        assert names[number - 1].startswith(owner) or ":" not in name or owner == "healthcheck"


def test_each_quantity_has_a_row_and_each_row_a_quantity() -> None:
    chosen = load("")
    quantities = set(cost.get_quantities(chosen, 2))
    for instance_type in TEMPLATES["hosts"].parameters["InstanceType"]["AllowedValues"]:
        quantities |= set(cost.get_quantities(load(f"instanceType={instance_type}"), 2))
    assert set(cost.ROWS) == quantities


def test_every_type_of_the_templates_is_priced_or_free() -> None:
    priced = {row["type"] for row in cost.ROWS.values()}
    free = set(cost.PRICES["free types"])
    assert {resource["Type"] for resource in RESOURCES.values()} == priced | free
    assert priced & free == set()


@pytest.mark.parametrize(
    "type",
    [
        "AWS::EC2::NatGateway",
        "AWS::EC2::EIP",
        "AWS::EC2::FlowLog",
        "AWS::EC2::Instance",
        "AWS::EC2::Volume",
        "AWS::AutoScaling::WarmPool",
        "AWS::KMS::Key",
        "AWS::WAFv2::WebACL",
        "AWS::Lambda::Alias",
        "AWS::SecretsManager::Secret",
        "AWS::Brand::New",
    ],
)
def test_an_unknown_resource_type_is_refused_by_name(
    type: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    templates: dict[str, Template] = copy.deepcopy(TEMPLATES)
    templates["network"].resources["Extra"] = {"Type": type, "Condition": "Unknown"}
    monkeypatch.setattr(cost, "read_all", lambda: templates)
    assert cost.main([]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert f"error: the cost of {type} is not known: add it to ops/prices.json" in output.err


def test_a_second_resource_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    templates: dict[str, Template] = copy.deepcopy(TEMPLATES)
    for type in ("CloudWatch::Alarm", "ElasticLoadBalancingV2::LoadBalancer"):
        templates["balancer"].resources[type] = {"Type": f"AWS::{type}"}
    monkeypatch.setattr(cost, "read_all", lambda: templates)
    quantities = {line.name: line.quantity for line in list_lines()}
    assert quantities["alarms"] == 6
    assert quantities["load balancer"] == 2 * 730
    assert quantities["load balancer: public IPv4 addresses"] == 4 * 730


# Properties of the priced types that cost nothing more. Another property may. It belongs into the
# price table first.
KNOWN = {
    "AutoScaling::AutoScalingGroup": (
        "VPCZoneIdentifier LaunchTemplate MinSize MaxSize TargetGroupARNs HealthCheckType "
        "HealthCheckGracePeriod DefaultInstanceWarmup InstanceMaintenancePolicy Tags"
    ),
    "AutoScaling::ScalingPolicy": (
        "AutoScalingGroupName PolicyType EstimatedInstanceWarmup TargetTrackingConfiguration"
    ),
    "CloudWatch::Alarm": (
        "AlarmDescription Namespace MetricName Dimensions Statistic Period EvaluationPeriods "
        "ComparisonOperator Threshold TreatMissingData AlarmActions OKActions"
    ),
    "CloudWatch::Dashboard": "DashboardBody",
    "EC2::LaunchTemplate": "LaunchTemplateData TagSpecifications",
    "EC2::Subnet": "VpcId AvailabilityZone CidrBlock MapPublicIpOnLaunch Tags",
    "EC2::VPC": "CidrBlock EnableDnsSupport EnableDnsHostnames Tags",
    "EC2::VPCEndpoint": "VpcId ServiceName VpcEndpointType RouteTableIds PolicyDocument",
    "ElasticLoadBalancingV2::LoadBalancer": (
        "Type Scheme IpAddressType Subnets SecurityGroups LoadBalancerAttributes"
    ),
    "Events::Rule": "Description ScheduleExpression State Targets",
    "Lambda::Function": (
        "Description Runtime Architectures Handler Code Role LoggingConfig Timeout MemorySize "
        "Environment"
    ),
    "Logs::LogGroup": "RetentionInDays",
    "S3::Bucket": (
        "PublicAccessBlockConfiguration OwnershipControls BucketEncryption LifecycleConfiguration"
    ),
    "SNS::Subscription": "TopicArn Protocol Endpoint",
    "SNS::Topic": "DisplayName",
}
LAUNCH = (
    "BlockDeviceMappings CreditSpecification IamInstanceProfile ImageId "
    "InstanceInitiatedShutdownBehavior InstanceType MetadataOptions Monitoring "
    "NetworkInterfaces TagSpecifications UserData"
)
VOLUME = "VolumeType VolumeSize Encrypted DeleteOnTermination"


@pytest.mark.parametrize("type", KNOWN)
def test_no_property_may_cost_more_than_the_prices_say(type: str) -> None:
    resources = of_type(type)
    assert resources
    for name, properties in resources.items():
        assert set(properties) <= set(KNOWN[type].split()), name


def test_hosts_are_what_the_prices_assume() -> None:
    data = launch_template()
    assert set(data) == set(LAUNCH.split())
    assert data["CreditSpecification"] == {"CpuCredits": {"Ref": "CpuCredits"}}
    assert data["Monitoring"] == {"Enabled": False}
    for interface in data["NetworkInterfaces"]:
        assert interface["AssociatePublicIpAddress"] is False
    (device,) = data["BlockDeviceMappings"]
    assert set(device["Ebs"]) == set(VOLUME.split())
    assert device["Ebs"]["VolumeType"] == "gp3"
    assert device["Ebs"]["DeleteOnTermination"] is True
    assert len(of_type("AutoScaling::AutoScalingGroup")) == 1


def test_everything_else_is_what_the_prices_assume() -> None:
    balancer = the("ElasticLoadBalancingV2::LoadBalancer")
    assert balancer["Type"] == "application"
    assert balancer["Scheme"] == "internet-facing"
    assert balancer["IpAddressType"] == "ipv4"
    assert attributes(balancer)["access_logs.s3.enabled"] == "false"
    assert "connection_logs.s3.enabled" not in attributes(balancer)
    # Ten rules are free.
    assert len(of_type("ElasticLoadBalancingV2::ListenerRule")) <= 10
    assert the("EC2::VPCEndpoint")["VpcEndpointType"] == "Gateway"
    assert the("AutoScaling::ScalingPolicy")["PolicyType"] == "TargetTrackingScaling"
    assert the("SNS::Subscription")["Protocol"] == "email"
    (rule,) = the("S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_the_healthcheck_is_what_the_prices_assume() -> None:
    function = the("Lambda::Function")
    assert function["Architectures"] == ["x86_64"]
    assert function["Handler"] == "healthcheck.handler.handler"
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": "LogGroup"}}
    rule = the("Events::Rule")
    assert [target["Arn"] for target in rule["Targets"]] == [{"Fn::GetAtt": "Function.Arn"}]
    schedules = TEMPLATES["healthcheck"].content["Mappings"]["Schedules"]
    assert {key: schedule["Rate"] for key, schedule in schedules.items()} == {
        "1": "rate(1 minute)",
        "5": "rate(5 minutes)",
        "15": "rate(15 minutes)",
    }
    # An alarm that looks more often than once a minute costs three times as much.
    for name, alarm in of_type("CloudWatch::Alarm").items():
        period = alarm["Period"]
        assert period == 60 or name == "healthcheck.Alarm", name
    assert {schedule["Seconds"] for schedule in schedules.values()} == {60, 300, 900}


def test_every_price_has_a_source_and_every_source_a_date() -> None:
    used = {source for _, source in cost.PRICES["always free"].values()}
    for name, row in cost.ROWS.items():
        for region in cost.PRICES["regions"]:
            price, source = row[region]
            assert price > 0, name
            used.add(source)
        assert "free" not in row or row["free"] in cost.PRICES["always free"], name
    assert used == set(cost.PRICES["sources"])
    for text, date in cost.PRICES["sources"].values():
        assert text
        assert date.removeprefix("after ").startswith("202")


def test_the_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost.main(["--region", "eu-west-1", "--config", "maxHosts=3"]) == 0
    output = capsys.readouterr().out
    assert "2 hosts in eu-west-1" in output
    assert "$0.0602 an hour, $1.45 a day, $43.98 a month, $528 a year" in output
    assert "$100 of credits last 69 days, $200 last 138 days" in output
    assert "With the 3 hosts of maxHosts: $0.0726 an hour" in output
    assert "The sources and dates of all prices: ops/prices.json" in output
    assert "no free tier any more" in output
    assert max(map(len, output.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hosts", "1"], "error: HOSTS=1 is too few: give 2 (minHosts) or more"),
        (["--hosts", "2", "--config", "minHosts=3 maxHosts=4"], "give 3 (minHosts) or more"),
        (
            ["--config", "minHosts=1"],
            'from 2 to 100. Run: make cost CONFIG="minHosts=VALUE"',
        ),
        (["--config", "minHosts=3"], "must be at least minHosts, which is 3"),
        (["--config", "instanceType=m5.large"], "must be one of t3.micro, t3.small"),
        (["--config", "size=big"], "there is no setting 'size'"),
        (["--config", "minHosts"], "'minHosts' is not KEY=VALUE"),
        (["--config", "budget=5"], "because budget is 5"),
    ],
    ids=str,
)
def test_wrong_input_is_refused_in_words(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cost.main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert message in output.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--region", "eu-central-1"], "choose from us-east-1, eu-west-1"),
        (["--region", "../prices"], "choose from us-east-1, eu-west-1"),
        (["--hosts", "many"], "argument --hosts: invalid int value: many"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_known(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[Any]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cost.main(arguments)
    assert ended.value.code == 2
    # Python 3.13 quotes no choices.
    assert message in capsys.readouterr().err.replace("'", "")


def test_a_broken_aws_configuration_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("# no configuration\n- broken\n")
    broken = {"AWS_PROFILE": "missing", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    command = [sys.executable, "-m", "ops.cost"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | broken, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
