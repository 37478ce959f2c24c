"""What this clone's program would deploy now, beside what is deployed: templates and parameters, stack by stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pulumi.runtime import MockResourceArgs

from deployment.ownership import Deployment, parts
from deployment.template import Template, read
from local.deployer import Deployer
from ops.drift.compare import Difference, differences
from ops.drift.findings import Drift
from ops.drift.stacks import Stack

Inputs = dict[str, dict[str, Any]]
NOT_THERE = "(of a stack that is not there)"
# It names a release, whose parts are compared one by one. What is left is a newer machine image: no drift, but what the
# next release is made with.
RELEASE = "Release"


class Declared(Deployer):
    """Lets the program run, and makes nothing: a stack answers with the outputs that it has."""

    def __init__(self, client: Callable[[str], Any], region: str, present: list[Stack]) -> None:
        self.made, self.region, self.there = client, region, present
        super().__init__("")
        self.inputs: Inputs = {}  # by the stack's part

    def client(self, service: str) -> Any:
        return self.made(service)

    def _made(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = dict(args.inputs)
        if "templateBody" not in inputs:
            return args.name, inputs
        part = args.name.split("-")[0]
        self.inputs[part] = inputs
        told = dict.fromkeys(Template(inputs["templateBody"]).outputs, NOT_THERE)
        for stack in self.there:
            if part_of(stack.name) == part:
                told |= stack.outputs
        return args.name, {**inputs, "outputs": told}

    def _looked_up(self, args: Any) -> dict[str, Any]:
        if args.token == "aws:index/getRegion:getRegion":  # noqa: S105 - a function's name
            return {"name": self.region, "region": self.region, "id": self.region}
        return super()._looked_up(args)


def part_of(stack: str) -> str:
    """The template that a stack is made from; "" if its name does not tell."""
    words = stack.split("-")
    return next((word for word in reversed(words) if word in parts()), "")


def compared(deployment: Deployment, present: list[Stack], inputs: Inputs) -> Iterator[Drift]:
    """inputs: what the program declares; {} if that is not known, and templates alone are compared."""
    for part, declared in inputs.items():
        found = [one.name for one in present if part_of(one.name) == part]
        if not found:
            yield Drift(declared["name"], "", Difference("", "deployed", "not there"))
        if len(found) > 1:
            more = f"{len(found)}: a release is being made, or was cut off"
            yield Drift(f"{deployment.name}-{part}", "", Difference("/(stacks)", "one", more))
    for stack in present:
        part = part_of(stack.name)
        expected = read(part)
        for one in differences(expected.content, stack.template.content, "", True):
            yield Drift(
                stack.name, "", Difference(f"/(template){one.path}", one.expected, one.actual)
            )
        if part in inputs:
            yield from _parameters(stack, expected, inputs[part].get("parameters", {}))


def _parameters(stack: Stack, template: Template, given: dict[str, Any]) -> Iterator[Drift]:
    for name, declared in template.parameters.items():
        if name == RELEASE or declared["Type"].startswith("AWS::SSM::"):
            continue
        expected = str(given.get(name, declared.get("Default")))
        actual = stack.parameters.get(name, "")
        if expected != actual and NOT_THERE not in expected:
            yield Drift(stack.name, "", Difference(f"/(parameter)/{name}", expected, actual))
