"""The templates as data, for tests that hold for all of them."""

from __future__ import annotations

from typing import Any

from deployment.template import Template, read_all

TEMPLATES: dict[str, Template] = read_all()
RESOURCES: dict[str, dict[str, Any]] = {
    f"{part}.{name}": resource
    for part, template in TEMPLATES.items()
    for name, resource in template.resources.items()
}


def of_type(suffix: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of that type: "part.LogicalId" -> Properties."""
    return {
        name: resource.get("Properties", {})
        for name, resource in RESOURCES.items()
        if resource["Type"] == f"AWS::{suffix}"
    }


def the(suffix: str) -> dict[str, Any]:
    """The properties of the one resource of that type."""
    (properties,) = of_type(suffix).values()
    return properties


def statements() -> list[tuple[str, dict[str, Any]]]:
    """Return each statement of each policy with its resource, but for trust policies."""
    pairs: list[tuple[str, dict[str, Any]]] = []

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "PolicyDocument":
                    pairs.extend((name, _if_at_all(statement)) for statement in inner["Statement"])
                elif key != "AssumeRolePolicyDocument":
                    walk(name, inner)
        elif isinstance(value, list):
            for inner in value:
                walk(name, inner)

    for name, resource in RESOURCES.items():
        walk(name, resource)
    return pairs


def _if_at_all(statement: dict[str, Any]) -> dict[str, Any]:
    """Return the statement, also if it depends on a condition of the template."""
    allowed: dict[str, Any] = statement["Fn::If"][1] if "Fn::If" in statement else statement
    return allowed


def launch_template() -> dict[str, Any]:
    data: dict[str, Any] = the("EC2::LaunchTemplate")["LaunchTemplateData"]
    return data


def attributes(of: dict[str, Any]) -> dict[str, str]:
    """The attributes of a load balancer or target group, by key."""
    (items,) = (value for key, value in of.items() if key.endswith("Attributes"))
    return {pair["Key"]: pair["Value"] for pair in items}
