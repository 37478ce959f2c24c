"""A template's functions, evaluated for resources that have plausible ids and ARNs."""

from __future__ import annotations

import re
from typing import Any

from tests.support.intrinsics import Evaluator
from tests.support.templates import TEMPLATES

ACCOUNT, REGION = "123456789012", "eu-west-1"
PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": REGION}


class DeployedTemplate(Evaluator):
    """A template of cfn/, as the stack t-PART. A parameter that is not given has its default."""

    def __init__(self, part: str, **parameters: str) -> None:
        super().__init__(TEMPLATES[part])
        self.part, self.given = part, parameters
        self.functions["Fn::Sub"] = self._substitute

    def properties(self, logical_id: str) -> Any:
        return self.value(self.template.resources[logical_id]["Properties"])

    def parameter(self, name: str) -> str:
        return self.given.get(name, str(self.template.parameters[name].get("Default", "")))

    def named(self, name: str) -> str:
        if name == "AWS::StackName":
            return f"t-{self.part}"
        return PSEUDO.get(name, f"t-{self.part}-{name}-1")

    def attribute(self, logical_id: str, name: str) -> str:
        """Return the ARN of an alarm; no dashboard uses anything else."""
        assert self.template.resources[logical_id]["Type"] == "AWS::CloudWatch::Alarm"
        assert name == "Arn"
        return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{self.named(logical_id)}"

    def unknown(self, function: str, given: Any) -> Any:
        raise AssertionError(function, given)

    def _substitute(self, given: Any) -> str:
        text, values = given if isinstance(given, list) else (given, {})

        def value_of(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in values:
                return str(self.value(values[name]))
            return str(self.get_att(name) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", value_of, text)
