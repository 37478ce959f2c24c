"""Read the CloudFormation templates in cfn/, and check values against their constraints."""

import functools
import re
from typing import Any

import yaml

from deployment import ROOT
from deployment.errors import UserError

FOLDER = ROOT / "cfn"
# The program always deploys these, in this order.
PARTS = ("artifacts", "network", "balancer", "hosts", "healthcheck")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms (!Ref, !Sub ...), each read as {tag: value}."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node)
    else:
        assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no fourth kind
        value = loader.construct_mapping(node)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


class Template:
    """A template: its text for CloudFormation, and its declarations."""

    def __init__(self, text: str) -> None:
        """Parse the text. Raises UserError."""
        # CloudFormation returns a template over 16 KiB with a final newline. A template without it
        # would differ at each update.
        self.body = text.rstrip("\n") + "\n"
        try:
            self.content: dict[str, Any] = yaml.load(self.body, _Loader)  # noqa: S506 - it is safe
        except yaml.YAMLError as error:
            raise UserError(f"it is not YAML: {error}") from None
        if not isinstance(self.content, dict) or not self.content.get("Resources"):
            raise UserError("it has no Resources")
        self.parameters = self._section("Parameters")
        self.outputs = self._section("Outputs")
        self.resources = self._section("Resources")
        for name, resource in self.resources.items():
            if not isinstance(resource.get("Type"), str):
                raise UserError(f"the resource {name} has no Type")

    def _section(self, name: str) -> dict[str, dict[str, Any]]:
        section = self.content.get(name, {})
        if not isinstance(section, dict):
            raise UserError(f"{name} must have NAME: VALUE entries")
        for key, declaration in section.items():
            if not isinstance(declaration, dict):
                raise UserError(f"{key} in {name} must have NAME: VALUE entries")
        return section

    @property
    def makes_roles(self) -> bool:
        types = [resource["Type"] for resource in self.resources.values()]
        return any(type_.startswith("AWS::IAM::") for type_ in types)

    def default(self, parameter: str) -> str:
        return str(self.parameters[parameter]["Default"])

    def find_fault(self, parameter: str, value: str) -> str | None:
        """Return why CloudFormation would refuse the value, or None if it would take the value."""
        declared = self.parameters[parameter]
        allowed = [str(choice) for choice in declared.get("AllowedValues", [value])]
        if value not in allowed:
            return f"must be one of {', '.join(allowed)}"
        is_number = declared["Type"] == "Number"
        pattern = r"-?\d+" if is_number else declared.get("AllowedPattern", ".*")
        if re.fullmatch(pattern, value):
            size, kind = (int(value), "Value") if is_number else (len(value), "Length")
            if declared.get(f"Min{kind}", size) <= size <= declared.get(f"Max{kind}", size):
                return None
        explained = str(declared.get("ConstraintDescription", "must be a whole number"))
        return explained[0].lower() + explained[1:].rstrip(".")


@functools.cache
def read_template(part: str) -> Template:
    """Return the template cfn/<part>.yaml. Raises UserError."""
    try:
        return Template((FOLDER / f"{part}.yaml").read_text())
    except (OSError, UnicodeDecodeError, UserError) as error:
        file = f"cfn/{part}.yaml"
        remedy = f"Correct the file, or restore it: git checkout {file}"
        raise UserError(f"{file} cannot be used: {error}. {remedy}") from None


def list_parts() -> list[str]:
    """Return the names of all templates: of those that the program deploys, and of the others."""
    return sorted({path.stem for path in FOLDER.glob("*.yaml")}.union(PARTS))


def read_all() -> dict[str, Template]:
    """Return all templates by part. Raises UserError, also if one of PARTS is missing."""
    return {part: read_template(part) for part in list_parts()}
