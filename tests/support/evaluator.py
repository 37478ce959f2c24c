"""CloudFormation's functions, evaluated with plausible ids and ARNs of the resources."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.support.templates import TEMPLATES

ACCOUNT, REGION = "123456789012", "eu-west-1"
PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": REGION}


class DeployedTemplate:
    """A template of cfn/, as the stack t-PART. A parameter that is not given has its default."""

    def __init__(self, part: str, **parameters: str) -> None:
        self.part, self.template, self.parameters = part, TEMPLATES[part], parameters
        self.functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._get_value,
            "Fn::FindInMap": lambda given: self._find_in_map(*self.evaluate(given)),
            "Fn::GetAtt": lambda given: self._get_attribute(*given.split(".")),
            "Fn::Join": lambda given: given[0].join(self.evaluate(given[1])),
            "Fn::Select": lambda given: self.evaluate(given[1])[int(given[0])],
            "Fn::Split": lambda given: self.evaluate(given[1]).split(given[0]),
            "Fn::Sub": self._substitute,
        }

    def evaluate(self, content: Any) -> Any:
        """Return the content with each function replaced by its value; a KeyError is an unknown
        one."""
        if isinstance(content, list):
            return [self.evaluate(item) for item in content]
        if not isinstance(content, dict):
            return content
        ((name, given), *others) = content.items()
        if name == "Ref" or name.startswith("Fn::"):
            assert not others
            return self.functions[name](given)
        return {key: self.evaluate(value) for key, value in content.items()}

    def get_properties(self, logical_id: str) -> Any:
        return self.evaluate(self.template.resources[logical_id]["Properties"])

    def _get_value(self, name: str) -> str:
        if name == "AWS::StackName":
            return f"t-{self.part}"
        if name in self.template.parameters:
            default = self.template.parameters[name].get("Default", "")
            return self.parameters.get(name, str(default))
        return PSEUDO.get(name, f"t-{self.part}-{name}-1")

    def _get_attribute(self, logical_id: str, name: str) -> str:
        """Return the ARN of an alarm: no dashboard uses another attribute."""
        assert (self.template.resources[logical_id]["Type"], name) == (
            "AWS::CloudWatch::Alarm",
            "Arn",
        )
        return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{self._get_value(logical_id)}"

    def _find_in_map(self, name: str, first: str, second: str) -> Any:
        mapping = self.template.content["Mappings"][name]
        return {str(key): value for key, value in mapping.items()}[first][second]

    def _substitute(self, given: Any) -> str:
        text, values = given if isinstance(given, list) else (given, {})

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in values:
                return str(self.evaluate(values[name]))
            if "." in name:
                return self._get_attribute(*name.split("."))
            return self._get_value(name)

        return re.sub(r"\$\{([^}]+)\}", replace, text)
