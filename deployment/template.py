"""Reads the CloudFormation templates in cfn/, and checks values against the constraints that they declare."""

from __future__ import annotations

import functools
import re
from typing import Any

import yaml

from deployment import ROOT
from deployment.errors import UserError

FOLDER = ROOT / "cfn"
PARTS = ("artifacts", "network", "balancer", "hosts", "healthcheck")  # what the program deploys


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms (!Ref, !Sub ...), each read as {tag: value}."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no fourth kind
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


class BadTemplate(UserError):
    """A file that is no template; the text says which, where and why."""


class Template:
    """One template: its text as CloudFormation gets it, and its declarations."""

    def __init__(self, text: str) -> None:
        """Raises BadTemplate."""
        # A template over 16 KiB without a final newline would differ from what CloudFormation returns, for ever.
        self.body = text.rstrip("\n") + "\n"
        try:
            self.content: dict[str, Any] = yaml.load(self.body, _Loader)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as wrong:
            raise BadTemplate(f"not YAML: {wrong}") from None
        if not isinstance(self.content, dict) or not self.content.get("Resources"):
            raise BadTemplate("a template has Resources, and this has none")
        self.parameters = self._section("Parameters")
        self.outputs = self._section("Outputs")
        self.resources = self._section("Resources")
        for name, one in self.resources.items():
            if not isinstance(one.get("Type"), str):
                raise BadTemplate(f"the resource {name} has no Type")

    def _section(self, name: str) -> dict[str, dict[str, Any]]:
        section = self.content.get(name, {})
        if not isinstance(section, dict):
            raise BadTemplate(f"{name} is no mapping")
        for key, one in section.items():
            if not isinstance(one, dict):
                raise BadTemplate(f"{key} in {name} is no mapping")
        return section

    @property
    def makes_roles(self) -> bool:
        return any(one["Type"].startswith("AWS::IAM::") for one in self.resources.values())

    def default(self, parameter: str) -> str:
        """Raises BadTemplate if it declares none."""
        try:
            return str(self.parameters[parameter]["Default"])
        except KeyError:
            raise BadTemplate(f"no default is declared for the parameter {parameter}") from None

    def complaint(self, parameter: str, value: str) -> str | None:
        """What is wrong with the value, in words; None if CloudFormation would take it."""
        if parameter not in self.parameters:
            raise BadTemplate(f"the parameter {parameter} is not declared")
        declared = self.parameters[parameter]
        allowed = [str(one) for one in declared.get("AllowedValues", [value])]
        if value not in allowed:
            return f"must be one of {', '.join(allowed)}"
        if declared["Type"] == "Number":
            pattern, kind = r"-?\d+", "Value"
            size = int(value) if re.fullmatch(pattern, value) else 0
        else:
            pattern, kind = declared.get("AllowedPattern", ".*"), "Length"
            size = len(value)
        least, most = declared.get(f"Min{kind}", size), declared.get(f"Max{kind}", size)
        if re.fullmatch(pattern, value) and least <= size <= most:
            return None
        explained = str(declared.get("ConstraintDescription", "must be a whole number"))
        return explained[0].lower() + explained[1:].rstrip(".")


@functools.cache
def read(part: str) -> Template:
    """The template cfn/<part>.yaml; raises BadTemplate."""
    try:
        return Template((FOLDER / f"{part}.yaml").read_text())
    except (OSError, UnicodeDecodeError, BadTemplate) as wrong:
        raise BadTemplate(f"cfn/{part}.yaml cannot be used: {wrong}") from None


def read_all() -> dict[str, Template]:
    """All templates by their part; raises BadTemplate, also when one of PARTS is missing."""
    found = {path.stem for path in FOLDER.glob("*.yaml")}
    return {part: read(part) for part in sorted(found.union(PARTS))}
