"""The resources that the templates make for given settings, with intrinsic functions resolved as far as cost needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from deployment.template import Template
from ops.intrinsics import Evaluator


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
        parts: dict[str, Part] = {}
        for name, template in templates.items():
            parts[name] = Part(name, template, values, parts)
        self.all = [
            Resource(f"{part.name}.{name}", one["Type"], part.value(one.get("Properties", {})))
            for part in parts.values()
            for name, one in part.template.resources.items()
            if part.exists(name)
        ]

    def of_type(self, type: str) -> list[Resource]:
        return [one for one in self.all if one.type == type]

    def named(self, name: Any) -> Resource | None:
        return next((one for one in self.all if one.name == name), None)


class Part(Evaluator):
    """A template, in which a resource is its name, part.LogicalId, and an attribute part.LogicalId.Attribute."""

    def __init__(
        self,
        name: str,
        template: Template,
        values: Mapping[str, str],
        parts: Mapping[str, Part],
    ) -> None:
        """values: of parameters. parts: all of them, in which outputs are looked for."""
        super().__init__(template)
        self.name, self.values, self.parts = name, values, parts

    def parameter(self, name: str) -> Any:
        """As set; else as another template's output of that name says it, which is how the program wires them."""
        if name in self.values:
            return self.values[name]
        for other in self.parts.values():
            if other is not self and name in other.template.outputs:
                return other.value(other.template.outputs[name]["Value"])
        return self.template.parameters[name].get("Default", self.named(name))

    def named(self, name: str) -> str:
        return f"{self.name}.{name}"

    def attribute(self, logical_id: str, name: str) -> str:
        return f"{self.name}.{logical_id}.{name}"

    def unknown(self, function: str, given: Any) -> Any:
        """Known at deployment only, as the zones are; or of no interest here."""
        return {function: self.value(given)}
