"""CloudFormation's intrinsic functions, evaluated in a template; what a name stands for is for a subclass to say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from deployment.template import Template

NO_VALUE = object()  # AWS::NoValue: as if the property were not there


class Evaluator(ABC):
    """`functions`: by name, each from its argument as it stands in the template to its value."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.functions: dict[str, Callable[[Any], Any]] = {
            "Condition": self.holds,
            "Ref": self.ref,
            "Fn::And": lambda given: all(self.value(given)),
            "Fn::Equals": self._equals,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": self.get_att,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Not": lambda given: not self.value(given[0]),
            "Fn::Or": lambda given: any(self.value(given)),
            "Fn::Select": self._select,
            "Fn::Split": self._split,
        }

    @abstractmethod
    def parameter(self, name: str) -> Any:
        """Its value; a list of them may be a text with commas."""

    @abstractmethod
    def named(self, name: str) -> Any:
        """What Ref gives for a resource or a pseudo parameter."""

    @abstractmethod
    def attribute(self, logical_id: str, name: str) -> Any:
        """What Fn::GetAtt gives."""

    @abstractmethod
    def unknown(self, function: str, given: Any) -> Any:
        """What stands for a function that is not known, or whose value is not."""

    def exists(self, logical_id: str) -> bool:
        """Whether the resource's condition, if it has one, holds."""
        condition = self.template.resources[logical_id].get("Condition")
        return condition is None or self.holds(condition)

    def holds(self, condition: str) -> bool:
        return bool(self.value(self.template.content["Conditions"][condition]))

    def value(self, content: Any) -> Any:
        if isinstance(content, list):
            return [one for each in content if (one := self.value(each)) is not NO_VALUE]
        if not isinstance(content, dict):
            return content
        if len(content) == 1:
            ((name, given),) = content.items()
            if name in self.functions:
                return self.functions[name](given)
            if name.startswith("Fn::"):
                return self.unknown(name, given)
        values = {key: self.value(one) for key, one in content.items()}
        return {key: one for key, one in values.items() if one is not NO_VALUE}

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        declared = self.template.parameters.get(name)
        if declared is None:
            return self.named(name)
        value = self.parameter(name)
        is_list = declared["Type"].startswith(("List<", "CommaDelimitedList"))
        return value.split(",") if is_list and isinstance(value, str) else value

    def get_att(self, given: Any) -> Any:
        logical_id, name = given if isinstance(given, list) else given.split(".", 1)
        return self.attribute(logical_id, name)

    def _equals(self, given: Any) -> bool:
        one, other = self.value(given)
        return str(one) == str(other)

    def _find_in_map(self, given: Any) -> Any:
        name, first, second = self.value(given)
        return self.template.content["Mappings"][name][str(first)][second]

    def _if(self, given: list[Any]) -> Any:
        condition, then, otherwise = given
        return self.value(then if self.holds(condition) else otherwise)

    def _join(self, given: Any) -> str:
        separator, values = self.value(given)
        return str(separator.join(map(str, values)))

    def _select(self, given: Any) -> Any:
        index, values = self.value(given)
        if isinstance(values, list) and int(index) < len(values):
            return values[int(index)]
        return self.unknown("Fn::Select", given)

    def _split(self, given: Any) -> list[str]:
        separator, text = self.value(given)
        return str(text).split(separator)
