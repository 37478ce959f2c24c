"""Compare what is deployed with what this clone deploys: `python -m ops.drift` (make drift).

It compares the templates and parameters of the deployed stacks with this clone's. CloudFormation's
own drift detection then finds resources that were changed by hand, as far as it covers their types.
It also prints what it could not compare.

Exit codes: 0 no difference, 1 some, 2 wrong usage, 3 nothing is deployed, or requests to AWS fail.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import MockResourceArgs

from deployment import ROOT
from deployment.errors import UserError
from deployment.ownership import REVIEW, outputs_of, parameters_of
from deployment.template import Template, read_template
from local.deployer import LookUps
from local.program import run_main
from local.project import STACK, get_configuration, read_config
from local.steps import SETTINGS, get_folder
from ops.target import Target, get_target, run

STABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
NOTHING = "nothing"
UNKNOWN = "(output of a stack that is missing)"
# Deployed by an administrator, not by the program.
DEPLOYED_ALONE = "deployer"
# The parameter is a digest of the others, which are compared, and of the hosts' machine image. A
# newer image is no drift.
RELEASE = "Release"
# Seconds for the detection in one stack.
DETECTION_TIMEOUT = 300.0
LOCAL_LIMIT = (
    "most changes by hand in the local cloud: its emulator detects few of them "
    "(make reach finds what they open)"
)


class Difference(NamedTuple):
    """where: a resource and its property, or a part of the stack itself."""

    stack: str
    where: str
    expected: Any
    actual: Any


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.drift", __doc__, argv, print_drift)


def print_drift(args: argparse.Namespace) -> int:
    settings = get_folder(args.name) / SETTINGS
    overrides = {}
    if args.stack == STACK and settings.exists():
        overrides = json.loads(settings.read_text())
    elif args.stack == STACK and (ROOT / f"Pulumi.{STACK}.yaml").exists():
        # The pulumi CLI has deployed it.
        overrides = read_config(STACK)
    differences, unchecked = find_drift(get_target(args), args.stack, overrides)
    if args.stack == STACK:
        unchecked.append(LOCAL_LIMIT)
    for stack, where, *values in differences:
        expected, actual = (
            value if isinstance(value, str) else json.dumps(value, default=str) for value in values
        )
        print(f"{stack} {where}\n    should be  {expected}\n    is         {actual}")
    for reason in unchecked:
        print(f"not checked: {reason}")
    print("1 difference." if len(differences) == 1 else f"{len(differences) or 'No'} differences.")
    return 1 if differences else 0


def find_drift(
    target: Target, stack: str, overrides: dict[str, str]
) -> tuple[list[Difference], list[str]]:
    """Return what differs from this clone, and in words what could not be compared.

    stack: Pulumi's. overrides: the settings that `make up` was given. Raises UserError if nothing
    is deployed or a template of this clone is no template, and what boto3 raises.
    """
    cloudformation, stacks = target.client("cloudformation"), target.find_stacks()
    recorder = Recorder(target, stacks)
    differences: list[Difference] = []
    unchecked: list[str] = []
    try:
        settings = get_configuration(overrides, stack, target.region)
        run_main(recorder, settings, stack)
        differences += compare_stacks(target.deployment, stacks, recorder.declared)
    # The templates can be compared, whatever keeps the program from running.
    except Exception as error:
        recorder.declared.clear()
        unchecked.append(f"parameters, and which stacks there should be: {error}")
    for name, description in stacks.items():
        status, part = description["StackStatus"], get_part(target.deployment, name)
        if status not in STABLE:
            differences.append(Difference(name, "status", " or ".join(STABLE), status))
        if status == REVIEW:
            continue
        template, deployed = read_template(part), Template(target.get_template(name))
        for path, expected, actual in compare(template.content, deployed.content):
            differences.append(Difference(name, f"template{path}", expected, actual))
        if part in recorder.declared:
            differences += compare_parameters(description, template, recorder.declared[part])
        try:
            differences.extend(detect_drift(cloudformation, name))
        except (UserError, BotoCoreError, ClientError) as error:
            unchecked.append(f"{name}: CloudFormation's drift detection: {error}")
    return differences, unchecked


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
    values = parameters_of(stack)
    for name, declared in template.parameters.items():
        if name == RELEASE or declared["Type"].startswith("AWS::SSM::"):
            continue
        expected = str(inputs.get("parameters", {}).get(name, declared.get("Default")))
        actual = values.get(name, NOTHING)
        if expected != actual and UNKNOWN not in expected:
            yield Difference(stack["StackName"], f"parameter {name}", expected, actual)


class Recorder(LookUps):
    """Record the stacks that the program declares, with the outputs of those that are deployed.

    declared: the inputs of each stack, by its part.
    """

    def __init__(self, target: Target, stacks: Mapping[str, Any]) -> None:
        super().__init__(target.client)
        self.deployment, self.deployed = target.deployment, stacks
        self.declared: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ != "aws:cloudformation/stack:Stack":
            return args.name, dict(args.inputs)
        part = get_part(self.deployment, args.inputs["name"])
        self.declared[part] = args.inputs
        outputs = dict.fromkeys(read_template(part).outputs, UNKNOWN)
        for name, stack in self.deployed.items():
            if get_part(self.deployment, name) == part:
                outputs |= outputs_of(stack)
        return args.name, {**args.inputs, "outputs": outputs}


def detect_drift(cloudformation: Any, stack: str) -> Iterator[Difference]:
    """Find what CloudFormation's own detection finds.

    Raises UserError if the detection takes too long. If it fails, the error comes after its
    findings.
    """
    detection = cloudformation.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    deadline = time.monotonic() + DETECTION_TIMEOUT
    state = {"DetectionStatus": "DETECTION_IN_PROGRESS"}
    while state["DetectionStatus"] == "DETECTION_IN_PROGRESS":
        if time.monotonic() > deadline:
            raise UserError(
                f"the detection takes more than {DETECTION_TIMEOUT:g} s: run make drift again later"
            )
        time.sleep(0.5)
        state = cloudformation.describe_stack_drift_detection_status(
            StackDriftDetectionId=detection
        )
    # One response has up to 100 resources, and no stack has as many.
    drifts = cloudformation.describe_stack_resource_drifts(
        StackName=stack, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
    )
    for resource in drifts["StackResourceDrifts"]:
        name = resource["LogicalResourceId"]
        if resource["StackResourceDriftStatus"] == "DELETED":
            yield Difference(stack, name, "deployed", "deleted")
        for item in resource.get("PropertyDifferences", []):
            where = f"{name} {item['PropertyPath'].lstrip('/')}"
            yield Difference(stack, where, item["ExpectedValue"], item["ActualValue"])
    if state["DetectionStatus"] == "DETECTION_FAILED":
        unknown = "the detection failed for an unknown reason: run make drift again"
        raise UserError(state.get("DetectionStatusReason", unknown))


if __name__ == "__main__":
    raise SystemExit(main())
