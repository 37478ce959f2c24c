"""What a deployed stack's template says of its resources, with its parameters and its resources' names put in."""

from __future__ import annotations

import re
from typing import Any

from ops.drift.stacks import Stack
from ops.intrinsics import NO_VALUE, Evaluator

# What Fn::GetAtt gives, from the physical id.
ATTRIBUTES = {
    "AWS::EC2::SecurityGroup.GroupId": "{id}",
    # A hosts stack is never updated, so what it made is the first version.
    "AWS::EC2::LaunchTemplate.LatestVersionNumber": "1",
    "AWS::S3::Bucket.Arn": "arn:{Partition}:s3:::{id}",
    "AWS::IAM::Role.Arn": "arn:{Partition}:iam::{AccountId}:role/{id}",
    "AWS::IAM::InstanceProfile.Arn": "arn:{Partition}:iam::{AccountId}:instance-profile/{id}",
    "AWS::Lambda::Function.Arn": "arn:{Partition}:lambda:{Region}:{AccountId}:function:{id}",
    "AWS::Events::Rule.Arn": "arn:{Partition}:events:{Region}:{AccountId}:rule/{id}",
    "AWS::CloudWatch::Alarm.Arn": "arn:{Partition}:cloudwatch:{Region}:{AccountId}:alarm:{id}",
    "AWS::ElasticLoadBalancingV2::TargetGroup.TargetGroupFullName": "{short}",
    "AWS::ElasticLoadBalancingV2::LoadBalancer.LoadBalancerFullName": "{short}",
}


class NotKnown(Exception):
    """A value that only CloudFormation knows; the text says which."""


class Resolver(Evaluator):
    """Evaluates the intrinsic functions that the templates use; raises NotKnown for any other."""

    def __init__(self, stack: Stack, zones: list[str], short: tuple[str, str] = ("", "")) -> None:
        """short: what a target group's full name has, and what in its place, where that is not as on AWS."""
        super().__init__(stack.template)
        self.stack, self.short = stack, short
        self.functions |= {
            "Fn::Base64": self.value,  # compared as what it encodes
            "Fn::GetAZs": lambda _: zones,
            "Fn::Sub": self._sub,
        }

    def properties(self, logical_id: str) -> tuple[dict[str, Any], list[str]]:
        """The resource's properties, and why some of them are not known, in words."""
        known, unknown = {}, []
        for name, content in self.template.resources[logical_id].get("Properties", {}).items():
            try:
                value = self.value(content)
            except NotKnown as why:
                unknown.append(f"{name} ({why})")
            else:
                if value is not NO_VALUE:
                    known[name] = value
        return known, unknown

    def parameter(self, name: str) -> str:
        if name not in self.stack.parameters:
            raise NotKnown(name)
        return self.stack.parameters[name]

    def named(self, name: str) -> str:
        for names in (self.stack.pseudo, self.stack.physical):
            if name in names:
                return names[name]
        raise NotKnown(name)

    def attribute(self, logical_id: str, name: str) -> str:
        kind, physical = self.stack.types.get(logical_id), self.stack.physical.get(logical_id)
        form = ATTRIBUTES.get(f"{kind}.{name}")
        if form is None or physical is None:
            raise NotKnown(f"{logical_id}.{name}")
        if name == "Arn" and physical.startswith("arn:"):
            return physical
        pseudo = {key.removeprefix("AWS::"): value for key, value in self.stack.pseudo.items()}
        # As CloudWatch calls it.
        short = re.sub(r"^.*(:loadbalancer/|:(?=targetgroup/))", "", physical).replace(*self.short)
        return form.format(id=physical, short=short, **pseudo)

    def unknown(self, function: str, given: Any) -> Any:
        raise NotKnown(function)

    def _sub(self, given: Any) -> str:
        text, own = given if isinstance(given, list) else (given, {})

        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return str(self.value(own[name]))
            return str(self.get_att(name) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", replaced, text)
