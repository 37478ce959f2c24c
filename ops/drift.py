"""Compare what is deployed with what this clone deploys: `python -m ops.drift` (make drift).

The templates and parameters of the deployed stacks are compared with this clone's. CloudFormation's
own drift detection then finds resources that were changed by hand, as far as it covers their types.
What could not be compared is printed as well.

Exit codes: 0 no difference, 1 some, 2 wrong usage, 3 nothing is deployed, or AWS cannot be asked.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import MockCallArgs, MockResourceArgs

from deployment.errors import UserError
from deployment.ownership import Deployment, outputs_of, parse_tags
from deployment.template import Template, read
from local.deployer import Deployer
from local.program import run_main
from local.project import STACK, configuration
from local.steps import SETTINGS, get_folder
from ops.target import Target, get_target, run

STABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
NOTHING = "nothing"
UNKNOWN = "(output of a stack that is missing)"
# The program does not deploy this stack: an administrator does, alone.
DEPLOYED_ALONE = "deployer"
# Its value is a digest of the other parameters, which are compared, and of the machine image: a
# newer image is no drift.
RELEASE = "Release"
DETECTION_TIMEOUT = 300.0  # seconds, for one stack
NOT_SEEN_LOCALLY = (
    "most changes by hand in the local cloud: its emulator detects few of them "
    "(make reach finds what they open)"
)


class Difference(NamedTuple):
    """where: a resource and its property, or a part of the stack itself."""

    stack: str
    where: str
    expected: Any
    actual: Any


class Findings(NamedTuple):
    """unchecked: what could not be compared, in words."""

    differences: list[Difference]
    unchecked: list[str]


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.drift", __doc__, argv, print_drift)


def print_drift(args: argparse.Namespace) -> int:
    settings = get_folder(args.name) / SETTINGS
    overrides = {}
    if args.stack == STACK and settings.exists():
        overrides = json.loads(settings.read_text())
    findings = find_drift(get_target(args), args.stack, overrides)
    if args.stack == STACK:
        findings.unchecked.append(NOT_SEEN_LOCALLY)
    for stack, where, expected, actual in findings.differences:
        print(f"{stack} {where}")
        print(f"    should be  {format_value(expected)}")
        print(f"    is         {format_value(actual)}")
    for reason in findings.unchecked:
        print(f"not checked: {reason}")
    number = len(findings.differences)
    print("1 difference." if number == 1 else f"{number or 'No'} differences.")
    return 1 if findings.differences else 0


def format_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def find_drift(where: Target, stack: str, overrides: dict[str, str]) -> Findings:
    """Compare the deployment with this clone.

    stack: Pulumi's. overrides: the settings that `make up` was given. Raises UserError if nothing
    is deployed, TemplateError, and what boto3 raises.
    """
    cloudformation, deployment = where.client("cloudformation"), Deployment(where.deployment)
    stacks = {
        stack["StackName"]: stack
        for stack in deployment.list_stacks(cloudformation)
        if deployment.reason(stack["StackName"], parse_tags(stack.get("Tags")))
    }
    if not stacks:
        raise UserError(f"nothing of {where.deployment} is deployed in {where.region}")
    findings = Findings([], [])
    declared: dict[str, dict[str, Any]] = {}
    try:
        declared = run_program(where, stacks, stack, overrides)
    except (
        Exception
    ) as error:  # Templates can be compared, whatever keeps the program from running.
        findings.unchecked.append(f"parameters, and which stacks there should be: {error}")
    else:
        findings.differences.extend(compare_stacks(where.deployment, stacks, declared))
    for name, found in stacks.items():
        if found["StackStatus"] not in STABLE:
            findings.differences.append(
                Difference(name, "status", " or ".join(STABLE), found["StackStatus"])
            )
        part = get_part(where.deployment, name)
        template = cloudformation.get_template(StackName=name)["TemplateBody"]
        findings.differences.extend(compare_templates(name, read(part), Template(template)))
        if part in declared:
            findings.differences.extend(compare_parameters(found, read(part), declared[part]))
        try:
            findings.differences.extend(detect_drift(cloudformation, name))
        except (UserError, BotoCoreError, ClientError) as error:
            findings.unchecked.append(f"{name}: CloudFormation's drift detection: {error}")
    return findings


def get_part(deployment: str, stack: str) -> str:
    """Return the name of the template that the stack is made from."""
    return stack.removeprefix(f"{deployment}-").split("-")[0]


def compare_stacks(
    deployment: str, stacks: Mapping[str, Any], declared: Mapping[str, Any]
) -> Iterator[Difference]:
    """Find stacks that are missing, and additional ones."""
    parts = [get_part(deployment, name) for name in stacks]
    for part, inputs in declared.items():
        if part not in parts:
            yield Difference(inputs["name"], "stack", "deployed", "missing")
        elif parts.count(part) > 1:
            actual = f"{parts.count(part)}: a release is in progress, or was interrupted"
            yield Difference(f"{deployment}-{part}", "stacks", "1", actual)
    for name, part in zip(stacks, parts, strict=True):
        if part not in declared and part != DEPLOYED_ALONE:
            yield Difference(name, "stack", "not deployed", "deployed")


def compare_templates(stack: str, expected: Template, actual: Template) -> Iterator[Difference]:
    for path, left, right in compare(expected.content, actual.content):
        yield Difference(stack, f"template{path}", left, right)


def compare(expected: Any, actual: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Return the innermost values that differ, each with its path."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in dict.fromkeys([*expected, *actual]):
            left, right = expected.get(key, NOTHING), actual.get(key, NOTHING)
            yield from compare(left, right, f"{path}/{key}")
    elif expected != actual:
        yield path, expected, actual


def compare_parameters(
    stack: Mapping[str, Any], template: Template, inputs: Mapping[str, Any]
) -> Iterator[Difference]:
    actual = {
        parameter["ParameterKey"]: parameter["ParameterValue"]
        for parameter in stack.get("Parameters", [])
    }
    for name, declared in template.parameters.items():
        if name == RELEASE or declared["Type"].startswith("AWS::SSM::"):
            continue
        expected = str(inputs.get("parameters", {}).get(name, declared.get("Default")))
        if expected != actual.get(name, "") and UNKNOWN not in expected:
            yield Difference(
                stack["StackName"], f"parameter {name}", expected, actual.get(name, NOTHING)
            )


def run_program(
    where: Target, stacks: Mapping[str, Any], stack: str, overrides: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return what the program declares of each stack, by its part. Raises what the program raises."""
    recorder = Recorder(where, stacks)
    run_main(
        recorder, configuration({**overrides, "quotaCheck": "false"}, stack, where.region), stack
    )
    return recorder.declared


class Recorder(Deployer):
    """Record the stacks that the program declares, with the outputs of those that are deployed."""

    def __init__(self, where: Target, stacks: Mapping[str, Any]) -> None:
        self.where, self.deployed = where, stacks
        super().__init__("")
        self.declared: dict[str, dict[str, Any]] = {}

    def client(self, service: str) -> Any:
        return self.where.client(service)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ != "aws:cloudformation/stack:Stack":
            return args.name, dict(args.inputs)
        part = get_part(self.where.deployment, args.inputs["name"])
        self.declared[part] = args.inputs
        outputs = dict.fromkeys(read(part).outputs, UNKNOWN)
        for name, stack in self.deployed.items():
            if get_part(self.where.deployment, name) == part:
                outputs |= outputs_of(stack)
        return args.name, {**args.inputs, "outputs": outputs}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        if args.token == "aws:index/getRegion:getRegion":  # noqa: S105 - a function's name
            region = self.where.region
            return {"name": region, "region": region, "id": region}, []
        return super().call(args)


def detect_drift(cloudformation: Any, stack: str) -> Iterator[Difference]:
    """Return what CloudFormation's own detection finds.

    Raises UserError if the detection fails or takes too long, after what it found until then.
    """
    detection = cloudformation.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    request = {"StackDriftDetectionId": detection}
    deadline = time.monotonic() + DETECTION_TIMEOUT
    status = cloudformation.describe_stack_drift_detection_status(**request)
    while status["DetectionStatus"] == "DETECTION_IN_PROGRESS":
        if time.monotonic() > deadline:
            raise UserError(f"it takes more than {DETECTION_TIMEOUT:g} s")
        time.sleep(0.5)
        status = cloudformation.describe_stack_drift_detection_status(**request)
    request = {"StackName": stack, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
    while request:  # boto3 has no paginator for it
        page = cloudformation.describe_stack_resource_drifts(**request)
        for resource in page["StackResourceDrifts"]:
            name = resource["LogicalResourceId"]
            if resource["StackResourceDriftStatus"] == "DELETED":
                yield Difference(stack, name, "deployed", "deleted")
            for found in resource.get("PropertyDifferences", []):
                where = f"{name} {found['PropertyPath'].lstrip('/')}"
                yield Difference(stack, where, found["ExpectedValue"], found["ActualValue"])
        request = {**request, "NextToken": page["NextToken"]} if page.get("NextToken") else {}
    if status["DetectionStatus"] == "DETECTION_FAILED":
        raise UserError(status.get("DetectionStatusReason", "failed for an unknown reason"))


if __name__ == "__main__":
    raise SystemExit(main())
