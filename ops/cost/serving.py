"""What the balancer and the hosts are charged for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployment.quota import VCPUS
from ops.cost.charge import Charge, require
from ops.cost.pricelist import HOURS
from ops.cost.resources import Resource, Resources
from ops.cost.usage import ALB, ANSWER, FOR_EVER, REQUEST, Usage, capacity_units, gigabytes

GROUP = "AWS::AutoScaling::AutoScalingGroup"
RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"

# What LaunchTemplateData and its volumes may have without costing more.
HOST = {
    "BlockDeviceMappings", "CreditSpecification", "IamInstanceProfile", "ImageId", "InstanceType", "MetadataOptions",
    "Monitoring", "NetworkInterfaces", "TagSpecifications", "UserData",
}  # fmt: skip
VOLUME = {"VolumeType", "VolumeSize", "Encrypted", "DeleteOnTermination"}


def balancer(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    """Each balancer, should there be several, is charged for all requests."""
    properties = one.properties
    require(properties.get("Type") == "application", one, "is no application load balancer")
    attributes = {item["Key"]: item["Value"] for item in properties["LoadBalancerAttributes"]}
    for key in ("access_logs.s3.enabled", "connection_logs.s3.enabled"):
        require(attributes.get(key, "false") == "false", one, f"has {key}")
    yield Charge("application load balancer", "AWSELB/LoadBalancerUsage", HOURS)
    rate = usage.requests_per_second
    units = capacity_units(
        ALB,
        rate,
        size=REQUEST + ANSWER,
        per_connection=usage.requests_per_connection,
        seconds=usage.connection_seconds,
        rules=len(all_of.of_type(RULE)),
    )
    yield Charge("its capacity units", "AWSELB/LCUUsage", units * HOURS)
    if properties.get("Scheme") == "internet-facing":
        yield from addresses(one)
        out = gigabytes(rate, ANSWER) * HOURS
        yield Charge("answers to the Internet", "AWSDataTransfer/DataTransfer-Out-Bytes", out)


def addresses(one: Resource) -> Iterator[Charge]:
    """At least one for each subnet; more, if the balancer grows."""
    kind = one.properties.get("IpAddressType", "ipv4")
    if kind != "dualstack-without-public-ipv4":
        require(kind in ("ipv4", "dualstack"), one, f"has addresses of type {kind}")
        zones = len(one.properties["Subnets"])
        what = f"its {zones} public IPv4 addresses"
        yield Charge(what, "AmazonVPC/PublicIPv4:InUseAddress", zones * HOURS)


def hosts(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    yield from of_hosts(one, all_of, number(one, usage), HOURS)


def number(group: Resource, usage: Usage) -> int:
    """The hosts that run: as said, else as many as the group starts with."""
    first = group.properties.get("DesiredCapacity", group.properties["MinSize"])
    return int(first) if usage.hosts is None else usage.hosts


def host(group: Resource, all_of: Resources) -> dict[str, Any]:
    """The LaunchTemplateData of the group's hosts."""
    template = all_of.named(group.properties["LaunchTemplate"].get("LaunchTemplateId"))
    require(template is not None, group, "has a launch template from elsewhere")
    assert template is not None  # noqa: S101 - for the type checker
    data: dict[str, Any] = template.properties["LaunchTemplateData"]
    return data


def of_hosts(group: Resource, all_of: Resources, number: int, hours: float) -> Iterator[Charge]:
    """So many hosts of the group for so many hours."""
    data = host(group, all_of)
    kind = data["InstanceType"]
    yield Charge(f"{number} hosts, {kind}", f"AmazonEC2/BoxUsage:{kind}", number * hours)
    for device in data["BlockDeviceMappings"]:
        disk = device["Ebs"]
        size = float(disk["VolumeSize"])
        price = f"AmazonEC2/EBS:VolumeUsage.{disk['VolumeType']}"
        yield Charge(f"their volumes, {size:g} GiB", price, number * size * hours / HOURS)


def surplus(group: Resource, all_of: Resources, number: int) -> Iterator[Charge]:
    """With unlimited CPU credits: what hosts that run away at full speed cost on top, at worst."""
    data = host(group, all_of)
    if data["CreditSpecification"]["CpuCredits"] == "unlimited":
        kind = data["InstanceType"]
        above = VCPUS[kind] - FOR_EVER[kind]
        yield Charge("CPU credits", "AmazonEC2/CPUCredits:t3", number * above * HOURS)


def launch_template(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    """Refuses what would cost more; its hosts are charged with their group."""
    data = one.properties["LaunchTemplateData"]
    unknown = sorted(set(data) - HOST)
    require(not unknown, one, f"has {', '.join(unknown)}")
    require("CreditSpecification" in data, one, "leaves CPU credits at T3's default, unlimited")
    require(data.get("Monitoring") == {"Enabled": False}, one, "has detailed Monitoring")
    for interface in data["NetworkInterfaces"]:
        private = interface.get("AssociatePublicIpAddress") is False
        require(private, one, "does not refuse an AssociatePublicIpAddress")
    for device in data["BlockDeviceMappings"]:
        disk = device["Ebs"]
        unknown = sorted(set(disk) - VOLUME)
        require(not unknown, one, f"has volumes with {', '.join(unknown)}")
        require(disk["VolumeType"] == "gp3", one, f"has volumes of type {disk['VolumeType']}")
        require(disk.get("DeleteOnTermination") is True, one, "leaves its volumes behind")
    yield from ()


def scaling_policy(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    """Target tracking makes two alarms of its own, one for each way."""
    kind = one.properties["PolicyType"]
    require(kind == "TargetTrackingScaling", one, f"is of type {kind}")
    yield Charge("alarms", "AmazonCloudWatch/CW:AlarmMonitorUsage", 2)


def endpoint(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    """A gateway endpoint is free, an interface endpoint is not."""
    kind = one.properties.get("VpcEndpointType", "Gateway")
    require(kind == "Gateway", one, f"is of type {kind}")
    yield from ()
