"""House rules for all templates, of the kind that cfn-lint does not know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.templates import RESOURCES, TEMPLATES, launch_template, of_type

ROOT = Path(__file__).parents[2]
SECTIONS = [
    "AWSTemplateFormatVersion",
    "Description",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
]
each_template = pytest.mark.parametrize("part", TEMPLATES)


@each_template
def test_sections_stand_in_the_usual_order(part: str) -> None:
    present = list(TEMPLATES[part].content)
    assert present == [section for section in SECTIONS if section in present]


@each_template
def test_the_description_begins_with_the_name_of_the_part(part: str) -> None:
    assert TEMPLATES[part].content["Description"].startswith(f"{part.capitalize()}: ")


@each_template
def test_parameters_and_outputs_are_described(part: str) -> None:
    template = TEMPLATES[part]
    for key, declared in (template.parameters | template.outputs).items():
        assert len(declared["Description"]) > 15, key


@each_template
def test_every_parameter_is_constrained_and_its_default_is_allowed(part: str) -> None:
    for key, parameter in TEMPLATES[part].parameters.items():
        kinds = {"AllowedValues", "AllowedPattern", "MinValue", "MinLength"} & set(parameter)
        assert kinds or "AWS::" in parameter["Type"], key
        assert (
            "AllowedValues" in parameter
            or "AWS::" in parameter["Type"]
            or parameter["ConstraintDescription"]
        ), key
        if "Default" in parameter:
            assert TEMPLATES[part].find_fault(key, str(parameter["Default"])) is None, key


@each_template
def test_no_output_is_exported(part: str) -> None:
    """An export in use can be neither changed nor removed, and would tie stacks together."""
    assert not any("Export" in output for output in TEMPLATES[part].outputs.values())


@each_template
def test_the_body_is_what_cloudformation_and_its_provider_take(part: str) -> None:
    body = (ROOT / "cfn" / f"{part}.yaml").read_text()
    assert len(body.encode()) <= 51_200
    assert body.endswith("\n")


def test_nothing_has_a_fixed_name() -> None:
    """A fixed name blocks replacement, and a second deployment."""
    for name, resource in RESOURCES.items():
        names = {key for key in resource.get("Properties", {}) if re.fullmatch(r"(\w+)?Name", key)}
        # These two name another resource, by a reference.
        references = {"FunctionName", "AutoScalingGroupName"}
        assert names <= references | {"ServiceName", "MetricName", "DisplayName"}, name
        for key in names & references:
            assert "Ref" in resource["Properties"][key], name


def test_nothing_outlives_its_stack() -> None:
    for name, resource in RESOURCES.items():
        assert resource.get("DeletionPolicy", "Delete") == "Delete", name
        assert resource.get("UpdateReplacePolicy", "Delete") == "Delete", name


CHOICES = [
    "AbortIncompleteMultipartUpload",
    "Architectures",
    "AssociatePublicIpAddress",
    "BucketEncryption",
    "CpuCredits",
    "Count",
    "Encrypted",
    "EstimatedInstanceWarmup",
    "EvaluationPeriods",
    "HealthCheckGracePeriod",
    "HealthCheckIntervalSeconds",
    "HealthCheckPath",
    "HealthCheckType",
    "HttpTokens",
    "IncludeCredit",
    "IncludeRefund",
    "Monitoring",
    "MapPublicIpOnLaunch",
    "MaximumRetryAttempts",
    "MemorySize",
    "MinSize",
    "NotificationType",
    "ObjectOwnership",
    "PredefinedMetricType",
    "PolicyDocument",
    "PublicAccessBlockConfiguration",
    "RetentionInDays",
    "Scheme",
    "SourceArn",
    "TargetValue",
    "Timeout",
    "TreatMissingData",
    "VolumeType",
]


@each_template
def test_every_choice_of_security_cost_or_time_says_why_beside_it(part: str) -> None:
    """The comment is on the line, within the value, or above the property or one around it."""
    lines = TEMPLATES[part].body.splitlines()
    silent = [
        f"{key} (line {first + 1})"
        for key, first, last, starts in choices(yaml.compose(TEMPLATES[part].body))
        if not any("# " in line for line in within(lines[first:last]))
        and not any(lines[start - 1].lstrip().startswith("#") for start in starts)
    ]
    assert silent == []


def within(lines: list[str]) -> list[str]:
    """Return the lines without the comments at their end, which belong to the next property."""
    while lines[-1].lstrip().startswith("#"):
        lines = lines[:-1]
    return lines


def choices(
    node: Any, starts: tuple[int, ...] = (), depth: int = 0
) -> list[tuple[str, int, int, tuple[int, ...]]]:
    """Return each of CHOICES: key, first and last line, first lines of it and of all around it."""
    places = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            first, last = key.start_mark.line, value.end_mark.line
            inside = (
                (*starts, first) if depth > 2 else ()
            )  # a comment above a resource is about all of it
            if key.value in CHOICES and depth > 2:
                places.append((key.value, first, max(last, first + 1), inside))
            places += choices(value, inside, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            places += choices(value, (*starts, value.start_mark.line), depth + 1)
    return places


def test_nothing_costs_more_than_decided() -> None:
    data = launch_template()
    assert data["CreditSpecification"] == {"CpuCredits": {"Ref": "CpuCredits"}}
    assert TEMPLATES["hosts"].default("CpuCredits") == "standard"
    assert data["Monitoring"] == {"Enabled": False}
    # Ten are free. A scaling policy makes two more, and during a release there are two policies.
    policies = of_type("AutoScaling::ScalingPolicy")
    assert len(of_type("CloudWatch::Alarm")) + 2 * 2 * len(policies) <= 10
    assert len(of_type("CloudWatch::Dashboard")) <= 3  # free
    assert not of_type("KMS::Key")
