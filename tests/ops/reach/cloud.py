"""Deploy into an emulator of the AWS API; change the deployment by hand, and restore it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ops.target import Target
from tests.cfn.permissions.emulator import REGION, Emulator
from tests.support.templates import TEMPLATES

EVERYWHERE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
EVERYWHERE_6 = {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}


class Cloud:
    """A deployment that is changed by hand and restored, because a new one takes longer."""

    def __init__(self, emulator: Emulator) -> None:
        # To make a client takes longer than most calls.
        self.client = functools.cache(emulator.client)
        self.target = Target("timeservice-local", REGION, self.client)
        emulator.tags = {"deployment": self.target.deployment}
        self.outputs = self._deploy(emulator)
        self.later: list[Callable[[], object]] = []
        self.ec2, self.elb = self.client("ec2"), self.client("elbv2")
        self.balancer, self.host = (
            self.outputs[f"{owner}SecurityGroup"] for owner in ("Balancer", "Host")
        )
        self.public = self.outputs["PublicSubnets"].split(",")
        self.private = self.outputs["PrivateSubnets"].split(",")

    def _deploy(self, emulator: Emulator) -> dict[str, str]:
        """Return the outputs of all stacks, and the other parameters."""
        lists = self.client("ec2").describe_prefix_lists()["PrefixLists"]
        (s3,) = (item for item in lists if item["PrefixListName"] == f"com.amazonaws.{REGION}.s3")
        known = {"S3PrefixList": s3["PrefixListId"], "Release": "r1", "ImageKey": "images/1.tar.gz"}
        known["PackageKey"] = "healthcheck/1.zip"
        for part in ("artifacts", "network", "balancer", "hosts", "healthcheck"):
            if part == "healthcheck":
                self.client("s3").put_object(Bucket=known["Bucket"], Key=known["PackageKey"])
            given = {key: known[key] for key in TEMPLATES[part].parameters if key in known}
            known |= emulator.deploy(f"{self.target.deployment}-{part}", part, **given)
            known["ArtifactsBucket"] = known["Bucket"]
        return known

    def restore(self) -> None:
        while self.later:
            self.later.pop()()

    def undo(self, call: Callable[..., object], **request: Any) -> None:
        self.later.append(lambda: call(**request))

    def let_in(self, group: str, protocol: str, port: int, **source: Any) -> None:
        rule = {"IpProtocol": protocol, "FromPort": port, "ToPort": port, **source}
        request = {"GroupId": group, "IpPermissions": [rule]}
        self.ec2.authorize_security_group_ingress(**request)
        self.undo(self.ec2.revoke_security_group_ingress, **request)

    def let_out(self, **peer: Any) -> None:
        request = {"GroupId": self.host, "IpPermissions": [{"IpProtocol": "-1", **peer}]}
        self.ec2.authorize_security_group_egress(**request)
        self.undo(self.ec2.revoke_security_group_egress, **request)

    def table(self, of: str) -> str:
        """Return the id of a subnet's route table, or of the main one."""
        found = self.ec2.describe_route_tables(
            Filters=[{"Name": "vpc-id", "Values": [self.outputs["VpcId"]]}]
        )["RouteTables"]
        return next(
            str(table["RouteTableId"])
            for table in found
            for item in table["Associations"]
            if item.get("SubnetId", "main" if item["Main"] else "") == of
        )

    def gateway(self) -> str:
        gateways = self.ec2.describe_internet_gateways()["InternetGateways"]
        return next(
            str(gateway["InternetGatewayId"])
            for gateway in gateways
            if gateway["Attachments"][0]["VpcId"] == self.outputs["VpcId"]
        )

    def route(self, of: str, **target: str) -> None:
        to = {"RouteTableId": self.table(of)}
        to["DestinationCidrBlock"] = target.pop("DestinationCidrBlock", "0.0.0.0/0")
        self.ec2.create_route(**to, **target)
        self.undo(self.ec2.delete_route, **to)

    def arn(self) -> str:
        return str(self.elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"])

    def listen(self, port: int, arn: str = "") -> None:
        action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        made = self.elb.create_listener(
            LoadBalancerArn=arn or self.arn(),
            Port=port,
            Protocol="HTTP",
            DefaultActions=[action],
        )
        self.undo(self.elb.delete_listener, ListenerArn=made["Listeners"][0]["ListenerArn"])

    def second_balancer(self, scheme: str) -> str:
        made = self.elb.create_load_balancer(
            Name="second", Scheme=scheme, Subnets=self.public, SecurityGroups=[self.balancer]
        )
        arn = str(made["LoadBalancers"][0]["LoadBalancerArn"])
        self.undo(self.elb.delete_load_balancer, LoadBalancerArn=arn)
        return arn

    def second_group(self, subnets: list[str], **data: Any) -> None:
        """Hosts from another version of the launch template."""
        autoscaling = self.client("autoscaling")
        group = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
        identity = group["LaunchTemplate"]["LaunchTemplateId"]
        version = self.ec2.create_launch_template_version(
            LaunchTemplateId=identity, SourceVersion="1", LaunchTemplateData=data
        )["LaunchTemplateVersion"]["VersionNumber"]
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="second",
            MinSize=1,
            MaxSize=1,
            LaunchTemplate={"LaunchTemplateId": identity, "Version": str(version)},
            VPCZoneIdentifier=",".join(subnets),
        )
        delete = autoscaling.delete_auto_scaling_group
        self.undo(delete, AutoScalingGroupName="second", ForceDelete=True)
