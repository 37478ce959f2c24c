"""The cost model knows each resource of the templates, and refuses by name what it does not know."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from deployment.template import Template
from ops.cost import pricelist
from ops.cost.__main__ import result
from ops.cost.charge import UnknownCost
from ops.cost.charges import FREE, MODELS, charges
from ops.cost.resources import Resources
from ops.cost.usage import Usage
from tests.support.templates import RESOURCES, TEMPLATES

QUIET = Usage(requests_per_second=0)
Parts = dict[str, Template]


def test_every_resource_type_of_the_templates_is_known() -> None:
    assert {one["Type"] for one in RESOURCES.values()} - FREE - set(MODELS) == set()
    assert set(MODELS) & FREE == set()
    charges(Resources(TEMPLATES, {"AlertEmail": "ops@example.org", "MaxHosts": "3"}), QUIET)


def mutated(change: Callable[[Parts], Any]) -> Resources:
    parts = copy.deepcopy(TEMPLATES)
    change(parts)
    return Resources(parts, {"AlertEmail": "ops@example.org", "MaxHosts": "3"})


def add(part: str, type: str, **properties: Any) -> Callable[[Parts], Any]:
    return lambda parts: parts[part].resources.update(
        Extra={"Type": type, "Properties": properties}
    )


def set_(name: str, value: Any, *path: Any) -> Callable[[Parts], Any]:
    """Set what stands at that path below a resource's properties."""

    def change(parts: Parts) -> None:
        part, resource = name.split(".")
        place = parts[part].resources[resource]["Properties"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def drop(name: str, *path: Any) -> Callable[[Parts], Any]:
    def change(parts: Parts) -> None:
        part, resource = name.split(".")
        place = parts[part].resources[resource]["Properties"]
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return change


DATA = ("hosts.LaunchTemplate", "LaunchTemplateData")
DISK = ("BlockDeviceMappings", 0, "Ebs")
ATTRIBUTES = [{"Key": "access_logs.s3.enabled", "Value": "true"}]
KMS = [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
METERED: dict[str, tuple[Callable[[Parts], Any], str]] = {
    "NAT gateway": (add("network", "AWS::EC2::NatGateway"), "network.Extra (AWS::EC2::NatGateway)"),
    "elastic IP": (add("network", "AWS::EC2::EIP"), "network.Extra (AWS::EC2::EIP)"),
    "flow log": (add("network", "AWS::EC2::FlowLog"), "network.Extra (AWS::EC2::FlowLog)"),
    "single host": (add("hosts", "AWS::EC2::Instance"), "hosts.Extra (AWS::EC2::Instance)"),
    "volume": (add("hosts", "AWS::EC2::Volume", Size=8), "hosts.Extra (AWS::EC2::Volume)"),
    "warm pool": (add("hosts", "AWS::AutoScaling::WarmPool"), "hosts.Extra"),
    "key": (add("artifacts", "AWS::KMS::Key"), "artifacts.Extra (AWS::KMS::Key)"),
    "firewall": (add("balancer", "AWS::WAFv2::WebACL"), "balancer.Extra (AWS::WAFv2::WebACL)"),
    "kept concurrency": (add("healthcheck", "AWS::Lambda::Alias"), "healthcheck.Extra"),
    "secret": (add("healthcheck", "AWS::SecretsManager::Secret"), "healthcheck.Extra"),
    "anything": (add("hosts", "AWS::Brand::New"), "hosts.Extra (AWS::Brand::New)"),
    "second function": (
        add("healthcheck", "AWS::Lambda::Function", Handler="other.handler", MemorySize=128),
        "healthcheck.Extra (AWS::Lambda::Function) runs other.handler",
    ),
    "unscheduled function": (
        add("healthcheck", "AWS::Lambda::Function", Handler="healthcheck.handler.handler"),
        "is run by no schedule",
    ),
    "second group": (
        add("hosts", "AWS::AutoScaling::AutoScalingGroup", MinSize="1", LaunchTemplate={}),
        "hosts.Extra (AWS::AutoScaling::AutoScalingGroup) has a launch template from elsewhere",
    ),
    "interface endpoint": (
        set_("network.S3Endpoint", "Interface", "VpcEndpointType"),
        "network.S3Endpoint (AWS::EC2::VPCEndpoint) is of type Interface",
    ),
    "endpoint in subnets": (set_("network.S3Endpoint", [], "SubnetIds"), "has SubnetIds"),
    "dedicated VPC": (set_("network.Vpc", "dedicated", "InstanceTenancy"), "InstanceTenancy"),
    "addresses of IPAM": (set_("network.PublicSubnetA", "x", "Ipv4IpamPoolId"), "Ipv4IpamPoolId"),
    "gp2": (set_(DATA[0], "gp2", DATA[1], *DISK, "VolumeType"), "has volumes of type gp2"),
    "io1": (set_(DATA[0], "io1", DATA[1], *DISK, "VolumeType"), "has volumes of type io1"),
    "IOPS": (set_(DATA[0], 9_000, DATA[1], *DISK, "Iops"), "has volumes with Iops"),
    "key of ours": (set_(DATA[0], "k", DATA[1], *DISK, "KmsKeyId"), "has volumes with KmsKeyId"),
    "volumes stay": (
        set_(DATA[0], False, DATA[1], *DISK, "DeleteOnTermination"),
        "leaves its volumes behind",
    ),
    "monitoring": (
        set_(DATA[0], True, DATA[1], "Monitoring", "Enabled"),
        "has detailed Monitoring",
    ),
    "monitoring by default": (drop(DATA[0], DATA[1], "Monitoring"), "has detailed Monitoring"),
    "credits by default": (
        drop(DATA[0], DATA[1], "CreditSpecification"),
        "T3's default, unlimited",
    ),
    "public hosts": (
        set_(DATA[0], True, DATA[1], "NetworkInterfaces", 0, "AssociatePublicIpAddress"),
        "hosts.LaunchTemplate (AWS::EC2::LaunchTemplate) does not refuse an AssociatePublicIp",
    ),
    "tenancy": (set_(DATA[0], {"Tenancy": "host"}, DATA[1], "Placement"), "has Placement"),
    "no interfaces": (drop(DATA[0], DATA[1], "NetworkInterfaces"), "has no NetworkInterfaces"),
    "mixed types": (set_("hosts.HostGroup", {}, "MixedInstancesPolicy"), "MixedInstancesPolicy"),
    "predictive": (set_("hosts.ScalingPolicy", "PredictiveScaling", "PolicyType"), "Predictive"),
    "network balancer": (
        set_("balancer.LoadBalancer", "network", "Type"),
        "balancer.LoadBalancer (AWS::ElasticLoadBalancingV2::LoadBalancer) is no application",
    ),
    "access logs": (
        set_("balancer.LoadBalancer", ATTRIBUTES, "LoadBalancerAttributes"),
        "has access_logs.s3.enabled",
    ),
    "reserved units": (
        set_("balancer.LoadBalancer", {"CapacityUnits": 100}, "MinimumLoadBalancerCapacity"),
        "has MinimumLoadBalancerCapacity",
    ),
    "odd addresses": (
        set_("balancer.LoadBalancer", "odd", "IpAddressType"),
        "addresses of type odd",
    ),
    "expression alarm": (set_("balancer.TargetErrorsAlarm", [], "Metrics"), "has Metrics"),
    "versions": (set_("artifacts.Bucket", {}, "VersioningConfiguration"), "has Versioning"),
    "bucket's log": (set_("artifacts.Bucket", {}, "LoggingConfiguration"), "has LoggingConf"),
    "bucket's key": (
        set_("artifacts.Bucket", KMS, "BucketEncryption", "ServerSideEncryptionConfiguration"),
        "artifacts.Bucket (AWS::S3::Bucket) is encrypted with aws:kms",
    ),
    "log for ever": (drop("healthcheck.LogGroup", "RetentionInDays"), "keeps its log for ever"),
    "traces": (set_("healthcheck.Function", {}, "TracingConfig"), "has TracingConfig"),
    "disk": (set_("healthcheck.Function", {"Size": 999}, "EphemeralStorage"), "EphemeralStorage"),
    "arm": (set_("healthcheck.Function", ["arm64"], "Architectures"), "runs on arm64"),
    "cron": (set_("healthcheck.Schedule", "cron(* * * * ? *)", "ScheduleExpression"), "cron"),
    "another bus": (set_("healthcheck.Schedule", "bus", "EventBusName"), "has EventBusName"),
    "topic's key": (set_("balancer.AlertTopic", "alias/aws/sns", "KmsMasterKeyId"), "KmsMaster"),
    "text messages": (set_("balancer.AlertSubscription", "sms", "Protocol"), "sends by sms"),
}


@pytest.mark.parametrize(("change", "says"), METERED.values(), ids=METERED)
def test_what_might_cost_something_is_refused_by_name(
    change: Callable[[Parts], Any], says: str
) -> None:
    with pytest.raises(UnknownCost) as refused:
        charges(mutated(change), QUIET)
    assert says in str(refused.value)
    assert "what that costs is not known" in str(refused.value)


def addresses(change: Callable[[Parts], Any]) -> float:
    found = charges(mutated(change), QUIET)
    return sum(one.quantity for one in found if "PublicIPv4" in one.usage) / 730


LB = "balancer.LoadBalancer"


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (set_(LB, "ipv4", "IpAddressType"), 2),
        (set_(LB, "dualstack", "IpAddressType"), 2),  # IPv6 besides, which is free
        (set_(LB, "dualstack-without-public-ipv4", "IpAddressType"), 0),
        (set_(LB, "internal", "Scheme"), 0),
        (
            lambda parts: (
                parts["network"].outputs["PublicSubnets"]["Value"]["Fn::Join"][1].append("c")
            ),
            3,
        ),
    ],
)
def test_the_balancer_has_an_address_in_each_public_subnet(
    change: Callable[[Parts], Any], number: int
) -> None:
    assert addresses(change) == number


@pytest.mark.parametrize(
    ("change", "usage", "factor"),
    [
        (set_(DATA[0], 16, DATA[1], *DISK, "VolumeSize"), "AmazonEC2/EBS:VolumeUsage.gp3", 2),
        (set_("hosts.HostGroup", "3", "MinSize"), "AmazonEC2/BoxUsage:t3.micro", 1.5),
        (set_("hosts.HostGroup", 3, "DesiredCapacity"), "AmazonEC2/BoxUsage:t3.micro", 1.5),
        (set_("healthcheck.Function", 512, "MemorySize"), "AWSLambda/Lambda-GB-Second", 2),
        (
            set_("healthcheck.Schedule", "rate(1 hour)", "ScheduleExpression"),
            "AWSLambda/Request",
            1 / 60,
        ),
        (
            set_("healthcheck.LogGroup", 28, "RetentionInDays"),
            "AmazonCloudWatch/TimedStorage-ByteHrs",
            2,
        ),
        (
            add("balancer", "AWS::CloudWatch::Dashboard", DashboardBody="{}"),
            "AmazonCloudWatch/DashboardsUsageHour",
            2,
        ),
        (
            add("balancer", "AWS::CloudWatch::Alarm", Period=300),
            "AmazonCloudWatch/CW:AlarmMonitorUsage",
            8 / 7,
        ),
    ],
)
def test_the_bill_follows_the_templates(
    change: Callable[[Parts], Any], usage: str, factor: float
) -> None:
    before, after = (
        sum(one.quantity for one in charges(all_of, QUIET) if one.usage == usage)
        for all_of in (mutated(lambda parts: None), mutated(change))
    )
    assert after == pytest.approx(before * factor)


def test_an_alarm_that_looks_more_often_than_each_minute_costs_more_and_is_never_free() -> None:
    quick = mutated(set_("healthcheck.Alarm", 10, "Period"))
    found = result(quick, QUIET, pricelist.read("us-east-1"))
    (one,) = (line for line in found["lines"] if "HighRes" in line["usage"])
    assert (one["quantity"], one["due"]) == (1, pytest.approx(0.30))


def test_rules_count_once_there_are_more_than_ten() -> None:
    usage = Usage(requests_per_second=1_000, requests_per_connection=1_000)

    def rules(number: int) -> float:
        names = [f"Rule{one}" for one in range(number - 1)]  # there is one
        rule = {"Type": "AWS::ElasticLoadBalancingV2::ListenerRule"}
        all_of = mutated(
            lambda parts: parts["balancer"].resources.update(dict.fromkeys(names, rule))
        )
        return next(one.quantity for one in charges(all_of, usage) if "LCU" in one.usage) / 730

    assert (
        rules(1) == rules(10) == rules(12)
    )  # 2.9 GB an hour weigh more than two rules that are paid
    assert rules(14) == pytest.approx(4)


TEMPLATE = """
Parameters:
  Size: {Type: Number, Default: 2}
  Subnets: {Type: List<AWS::EC2::Subnet::Id>}
  Other: {Type: String}
Mappings:
  Sizes: {"2": {Text: two}, "3": {Text: three}}
Conditions:
  IsTwo: !Equals [!Ref Size, "2"]
  IsNotTwo: !Not [!Condition IsTwo]
  Both: !And [!Condition IsTwo, !Condition IsNotTwo]
  Either: !Or [!Condition IsTwo, !Condition IsNotTwo]
Resources:
  Two: {Type: A::B::C, Condition: IsTwo}
  NotTwo: {Type: A::B::C, Condition: IsNotTwo}
  Never: {Type: A::B::C, Condition: Both}
  Always:
    Type: A::B::D
    Condition: Either
    Properties:
      Text: !FindInMap [Sizes, !Ref Size, Text]
      Chosen: !If [IsTwo, yes, no]
      Gone: !If [IsTwo, !Ref AWS::NoValue, kept]
      Left: !Ref AWS::NoValue
      Third: !Select [2, !Split [":", "a:b:c"]]
      Zone: !Select [0, !GetAZs ""]
      Subnets: !Ref Subnets
      Arn: !GetAtt Two.Arn
      Role: !Ref Two
      Other: !Ref Other
"""


def always(**values: str) -> dict[str, Any]:
    other = Template(
        'Resources: {X: {Type: A::B::E}}\nOutputs: {Subnets: {Value: !Join [",", [!Ref X, b]]}}'
    )
    found = Resources({"one": Template(TEMPLATE), "other": other}, values)
    return found.of_type("A::B::D")[0].properties


def test_functions_are_resolved_as_cloudformation_does() -> None:
    assert always() == {
        "Text": "two",
        "Chosen": True,  # YAML's yes
        "Third": "c",
        "Zone": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},  # AWS alone knows
        "Subnets": ["other.X", "b"],  # another template's output of that name
        "Arn": "one.Two.Arn",
        "Role": "one.Two",
        "Other": "one.Other",
    }
    assert always(Size="3")["Text"] == "three"
    assert always(Size="3")["Gone"] == "kept"
    assert always(Subnets="a,b,c")["Subnets"] == ["a", "b", "c"]


@pytest.mark.parametrize(("size", "made"), [("2", "one.Two"), ("3", "one.NotTwo")])
def test_only_resources_whose_condition_holds_are_made(size: str, made: str) -> None:
    found = Resources({"one": Template(TEMPLATE)}, {"Size": size})
    assert [one.name for one in found.all] == [made, "one.Always"]
