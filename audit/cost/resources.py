"""The resources that the templates make for given settings, with intrinsic functions resolved as far as cost needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from deployment.template import Template

NO_VALUE = {"Ref": "AWS::NoValue"}
# Functions of resolved arguments alone.
SIMPLE: dict[str, Callable[..., Any]] = {
    "Fn::And": lambda *conditions: all(conditions),
    "Fn::Equals": lambda one, other: str(one) == str(other),
    "Fn::Join": lambda separator, values: separator.join(map(str, values)),
    "Fn::Not": lambda condition: not condition,
    "Fn::Or": lambda *conditions: any(conditions),
    "Fn::Split": lambda separator, text: str(text).split(separator),
}


class Resource(NamedTuple):
    """name: part.LogicalId. properties: resolved; what a template alone cannot know is left as it stands."""

    name: str
    type: str
    properties: dict[str, Any]


class Resources:
    """Those of all templates together.

    values: of parameters, by their name alone: those of one name mean the same in every template.
    """

    def __init__(self, templates: Mapping[str, Template], values: Mapping[str, str]) -> None:
        self.templates = templates
        self.values = values
        self.functions: dict[str, Callable[..., Any]] = {
            "Condition": self._holds,
            "Fn::FindInMap": self._mapped,
            "Fn::GetAtt": self._attribute,
            "Fn::If": self._if,
            "Fn::Select": self._selected,
            "Ref": self._ref,
        }
        self.all = [one for part in templates for one in self._made(part)]

    def of_type(self, type: str) -> list[Resource]:
        return [one for one in self.all if one.type == type]

    def named(self, name: Any) -> Resource | None:
        return next((one for one in self.all if one.name == name), None)

    def _made(self, part: str) -> Iterator[Resource]:
        for name, one in self.templates[part].resources.items():
            condition = one.get("Condition")
            if condition is None or self._holds(part, condition):
                properties = self.resolve(part, one.get("Properties", {}))
                yield Resource(f"{part}.{name}", one["Type"], properties)

    def resolve(self, part: str, value: Any) -> Any:
        """The value, with what stands in that part's template."""
        if isinstance(value, list):
            found = [self.resolve(part, one) for one in value]
            return [one for one in found if one != NO_VALUE]
        if not isinstance(value, dict):
            return value
        name, argument = next(iter(value.items()), ("", None))
        if len(value) == 1 and name in self.functions:
            return self.functions[name](part, argument)
        if len(value) == 1 and name in SIMPLE:
            return SIMPLE[name](*self.resolve(part, argument))
        resolved = {key: self.resolve(part, one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one != NO_VALUE}

    def _if(self, part: str, argument: list[Any]) -> Any:
        condition, yes, no = argument
        return self.resolve(part, yes if self._holds(part, condition) else no)

    def _mapped(self, part: str, argument: list[Any]) -> Any:
        mapping, first, second = self.resolve(part, argument)
        return self.templates[part].content["Mappings"][mapping][str(first)][second]

    def _selected(self, part: str, argument: list[Any]) -> Any:
        index, values = self.resolve(part, argument)
        if isinstance(values, list) and int(index) < len(values):
            return values[int(index)]
        return {"Fn::Select": argument}  # of what is known at deployment only, such as the zones

    def _attribute(self, part: str, argument: Any) -> str:
        path = argument if isinstance(argument, str) else ".".join(argument)
        return f"{part}.{path}"

    def _holds(self, part: str, condition: str) -> bool:
        return bool(self.resolve(part, self.templates[part].content["Conditions"][condition]))

    def _ref(self, part: str, name: str) -> Any:
        """A parameter's value, or the name of the resource that is meant."""
        if name == NO_VALUE["Ref"]:
            return NO_VALUE
        declared = self.templates[part].parameters.get(name)
        if declared is None:
            return f"{part}.{name}"
        value = self._value(part, name)
        is_list = declared["Type"].startswith(("List<", "CommaDelimitedList"))
        return value.split(",") if is_list and isinstance(value, str) else value

    def _value(self, part: str, name: str) -> Any:
        """As set; else as another template's output of that name says it, which is how the program wires them."""
        if name in self.values:
            return self.values[name]
        for other, template in self.templates.items():
            if other != part and name in template.outputs:
                return self.resolve(other, template.outputs[name]["Value"])
        return self.templates[part].parameters[name].get("Default", f"{part}.{name}")
