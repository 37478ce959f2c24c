"""What a stack's template says of its resources, with its parameters and its resources' names put in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from deployment.template import Template

NO_VALUE = object()  # AWS::NoValue: as if the property were not there


class NotKnown(Exception):
    """A value that only CloudFormation knows; the text says which."""


class Stack(NamedTuple):
    """A deployed stack. pseudo: AWS::Region and the like. physical, types: by logical id, of what the stack has."""

    name: str
    status: str
    template: Template
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    pseudo: Mapping[str, str]
    physical: Mapping[str, str]
    types: Mapping[str, str]


class Resolver:
    """Evaluates the intrinsic functions that the templates use; raises NotKnown for any other."""

    def __init__(self, stack: Stack, zones: list[str], short: tuple[str, str] = ("", "")) -> None:
        """short: what a target group's full name has, and what in its place, where that is not as on AWS."""
        self.stack, self.zones, self.short = stack, zones, short
        self.functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::Sub": self._sub,
            "Fn::GetAtt": self._get_att,
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAZs": lambda _: self.zones,
            "Fn::Base64": self.value,  # compared as what it encodes
            "Fn::Join": lambda given: given[0].join(self.value(given[1])),
            "Fn::Select": lambda given: self.value(given[1])[int(self.value(given[0]))],
            "Fn::Split": lambda given: self.value(given[1]).split(self.value(given[0])),
        }

    def properties(self, logical_id: str) -> tuple[dict[str, Any], list[str]]:
        """The resource's properties, and why some of them are not known, in words."""
        known, unknown = {}, []
        declared = self.stack.template.resources[logical_id].get("Properties", {})
        for name, content in declared.items():
            try:
                value = self.value(content)
            except NotKnown as why:
                unknown.append(f"{name} ({why})")
            else:
                if value is not NO_VALUE:
                    known[name] = value
        return known, unknown

    def exists(self, logical_id: str) -> bool:
        """Whether the resource's condition, if it has one, holds."""
        condition = self.stack.template.resources[logical_id].get("Condition")
        return condition is None or self._holds({"Condition": condition})

    def value(self, content: Any) -> Any:
        if isinstance(content, list):
            return [one for each in content if (one := self.value(each)) is not NO_VALUE]
        if not isinstance(content, dict):
            return content
        if len(content) == 1 and (name := next(iter(content))) in self.functions:
            return self.functions[name](content[name])
        if unknown := [key for key in content if key.startswith("Fn::")]:
            raise NotKnown(unknown[0])
        values = {key: self.value(one) for key, one in content.items()}
        return {key: one for key, one in values.items() if one is not NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.stack.pseudo:
            return self.stack.pseudo[name]
        if name in self.stack.parameters:
            value = self.stack.parameters[name]
            listed = self.stack.template.parameters[name]["Type"].startswith("List<")
            return value.split(",") if listed else value
        if name in self.stack.physical:
            return self.stack.physical[name]
        raise NotKnown(name)

    def _sub(self, given: Any) -> str:
        text, own = (given[0], given[1]) if isinstance(given, list) else (given, {})

        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return str(self.value(own[name]))
            return str(self._get_att(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replaced, text)

    def _get_att(self, given: Any) -> str:
        logical_id, attribute = given if isinstance(given, list) else given.split(".", 1)
        kind, physical = self.stack.types.get(logical_id), self.stack.physical.get(logical_id)
        form = ATTRIBUTES.get(f"{kind}.{attribute}")
        if form is None or physical is None:
            raise NotKnown(f"{logical_id}.{attribute}")
        if attribute == "Arn" and physical.startswith("arn:"):
            return physical
        pseudo = {key.removeprefix("AWS::"): value for key, value in self.stack.pseudo.items()}
        # As CloudWatch calls it.
        short = re.sub(r"^.*(:loadbalancer/|:(?=targetgroup/))", "", physical).replace(*self.short)
        return form.format(id=physical, short=short, **pseudo)

    def _if(self, given: list[Any]) -> Any:
        condition, then, otherwise = given
        return self.value(then if self._holds({"Condition": condition}) else otherwise)

    def _holds(self, condition: dict[str, Any]) -> bool:
        ((name, given),) = condition.items()
        if name == "Condition":
            return self._holds(self.stack.template.content["Conditions"][given])
        if name == "Fn::Equals":
            one, other = self.value(given)
            return str(one) == str(other)
        if name == "Fn::Not":
            return not self._holds(given[0])
        if name in ("Fn::And", "Fn::Or"):
            return (all if name == "Fn::And" else any)(self._holds(one) for one in given)
        raise NotKnown(name)

    def _find_in_map(self, given: list[Any]) -> Any:
        name, first, second = self.value(given)
        return self.stack.template.content["Mappings"][name][first][second]


# What Fn::GetAtt gives, from the physical id.
ATTRIBUTES = {
    "AWS::EC2::SecurityGroup.GroupId": "{id}",
    # A hosts stack is never updated, so what it made is the first version.
    "AWS::EC2::LaunchTemplate.LatestVersionNumber": "1",
    "AWS::S3::Bucket.Arn": "arn:{Partition}:s3:::{id}",
    "AWS::IAM::Role.Arn": "arn:{Partition}:iam::{AccountId}:role/{id}",
    "AWS::IAM::User.Arn": "arn:{Partition}:iam::{AccountId}:user/{id}",
    "AWS::IAM::InstanceProfile.Arn": "arn:{Partition}:iam::{AccountId}:instance-profile/{id}",
    "AWS::Lambda::Function.Arn": "arn:{Partition}:lambda:{Region}:{AccountId}:function:{id}",
    "AWS::Events::Rule.Arn": "arn:{Partition}:events:{Region}:{AccountId}:rule/{id}",
    "AWS::CloudWatch::Alarm.Arn": "arn:{Partition}:cloudwatch:{Region}:{AccountId}:alarm:{id}",
    "AWS::Logs::LogGroup.Arn": "arn:{Partition}:logs:{Region}:{AccountId}:log-group:{id}:*",
    "AWS::ElasticLoadBalancingV2::TargetGroup.TargetGroupFullName": "{short}",
    "AWS::ElasticLoadBalancingV2::LoadBalancer.LoadBalancerFullName": "{short}",
    "AWS::ElasticLoadBalancingV2::TargetGroup.TargetGroupArn": "{id}",
}
