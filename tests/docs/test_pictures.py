"""The pictures of docs/deployment.md, drawn by hand, use names and figures of the templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from deployment.template import FOLDER, PARTS, read_template
from tests.support.documented import ROOT

# The parts of a picture that are lines.
DRAWN = ("line", "path", "g")
SVG = "{http://www.w3.org/2000/svg}"
TEMPLATES = {path.stem for path in FOLDER.glob("*.yaml")}


def parse(picture: str) -> ElementTree.Element:
    """Return the root element of a picture."""
    file = ROOT / f"docs/{picture}.svg"
    return ElementTree.parse(file).getroot()  # noqa: S314 - the file is in the repository


def groups(picture: str) -> list[tuple[set[str], ElementTree.Element]]:
    """(classes, element) of each group, in the order of the file."""
    found = parse(picture).iter(f"{SVG}g")
    return [(set(group.get("class", "").split()), group) for group in found]


def texts(group: ElementTree.Element, kind: str) -> Iterator[str]:
    """Yield each text, or part of a text, of that class."""
    for element in group.iter():
        if kind in element.get("class", "").split():
            yield "".join(element.itertext())


def all_texts(picture: str, kind: str = "note") -> list[str]:
    return [text for _, group in groups(picture) for text in texts(group, kind)]


def names_in_template(template: str) -> set[str]:
    """Return the names of a template's resources and parameters."""
    content = read_template(template)
    return {*content.resources, *content.parameters}


def resources_of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return name -> properties of all resources of a type, in the templates that the program
    deploys."""
    return {
        name: resource["Properties"]
        for part in PARTS
        for name, resource in read_template(part).resources.items()
        if resource["Type"] == f"AWS::{kind}"
    }


def properties(template: str, resource: str) -> dict[str, Any]:
    return dict(read_template(template).resources[resource]["Properties"])


def test_each_name_in_a_box_is_in_the_template_that_gives_the_box_its_colour() -> None:
    checked = 0
    for classes, group in groups("deployment"):
        names = set(texts(group, "name"))
        if not names:
            continue
        (template,) = classes & TEMPLATES
        known = {template} if "stack" in classes else names_in_template(template)
        assert names <= known
        checked += len(names)
    assert checked > 30


def test_each_name_in_the_picture_of_a_release_is_in_a_template() -> None:
    known = {"hosts-RELEASE"}.union(*(names_in_template(part) for part in PARTS))
    names = set(all_texts("release", "name"))
    assert names <= known
    assert {"hosts-RELEASE", "HostGroup", "WaitHandle", "HostsReady", "Bucket"} <= names


def test_each_template_is_in_the_legend_and_each_stack_that_is_always_there_has_boxes() -> None:
    legend = [classes & TEMPLATES for classes, _ in groups("deployment") if "stack" in classes]
    assert sorted(name for names in legend for name in names) == sorted(TEMPLATES)
    drawn = [classes for classes, _ in groups("deployment") if "stack" not in classes]
    assert set(PARTS) <= set().union(*drawn)


@pytest.mark.parametrize(
    "kind",
    [
        "CloudWatch::Alarm",
        "EC2::Subnet",
        "EC2::VPCEndpoint",
        "EC2::InternetGateway",
        "ElasticLoadBalancingV2::LoadBalancer",
        "AutoScaling::AutoScalingGroup",
        "Lambda::Function",
        "S3::Bucket",
        "SNS::Topic",
    ],
)
def test_no_resource_of_this_type_is_left_out(kind: str) -> None:
    assert resources_of_type(kind).keys() <= set(all_texts("deployment", "name"))


def test_the_arrows_name_each_port_that_a_security_group_opens() -> None:
    labels = [text for text in all_texts("deployment") if text.startswith("tcp ")]
    ports = {
        f"{rule['IpProtocol']} {rule['FromPort']}"
        for group in resources_of_type("EC2::SecurityGroup").values()
        for rule in group["SecurityGroupIngress"] + group["SecurityGroupEgress"]
    }
    assert set(labels) == ports
    # One arrow comes from the Internet. Each zone's host has one in and one out.
    assert len(labels) == 1 + 2 + 2


def test_the_endpoint_has_an_arrow_for_each_statement_of_its_policy() -> None:
    statements = properties("network", "S3Endpoint")["PolicyDocument"]["Statement"]
    arrows = {
        "ReadArtifacts": "image",
        "InstallPackages": "packages",
        "SignalCloudFormation": "signals",
    }
    assert {statement["Sid"] for statement in statements} == arrows.keys()
    assert set(arrows.values()) <= set(all_texts("deployment"))


def test_the_figures_of_the_deployment_are_the_templates() -> None:
    group = properties("balancer", "TargetGroup")
    check = f"{group['HealthCheckPath']} each {group['HealthCheckIntervalSeconds']} s"
    (condition,) = properties("balancer", "ServiceRule")["Conditions"]
    paths = " and ".join(condition["PathPatternConfig"]["Values"])
    (other,) = properties("balancer", "Listener")["DefaultActions"]
    status = other["FixedResponseConfig"]["StatusCode"]
    notes = all_texts("deployment")
    assert check in notes
    assert f"ServiceRule: {paths} go to the healthy hosts" in notes
    assert f"Listener: any other path gets a {status}" in notes
    assert f"MinHosts: {read_template('hosts').default('MinHosts')}" in notes
    assert "169.254.169.123" in notes
    assert "TIMESERVICE_TIME_SERVER=169.254.169.123" in read_template("hosts").body
    block = properties("network", "Vpc")["CidrBlock"]["Fn::Sub"]
    block = block.replace("${SecondOctet}", read_template("network").default("SecondOctet"))
    assert f"Vpc {block}" in all_texts("deployment", "left")


def test_the_steps_of_a_host_s_start_are_those_of_the_user_data_in_its_order() -> None:
    *steps, last = re.findall(r'^ +step "([^"$]+)"', read_template("hosts").body, re.MULTILINE)
    assert last == "serving"  # the picture has a bar for it
    heights = {
        text: float(str(element.get("y")))
        for _, group in groups("release")
        for element in group.iter(f"{SVG}text")
        if (text := "".join(element.itertext()).replace("\u2019", "'")) in steps
    }
    assert sorted(heights, key=heights.__getitem__) == steps


def test_the_figures_of_a_release_are_the_templates() -> None:
    group = properties("balancer", "TargetGroup")
    attributes = {each["Key"]: each["Value"] for each in group["TargetGroupAttributes"]}
    delay = attributes["deregistration_delay.timeout_seconds"]
    ready = properties("hosts", "HostsReady")
    notes = all_texts("release")
    assert ready["Count"] == {"Ref": "MinHosts"}
    assert f"MinHosts signals within {int(ready['Timeout']) // 60} minutes" in all_texts(
        "release", "left"
    )
    assert f"deregister; finish within {delay} s; terminate" in notes
    assert (
        f"{group['HealthCheckPath']} each {group['HealthCheckIntervalSeconds']} s,"
        f" {group['HealthyThresholdCount']} in a row"
    ) in notes


@pytest.mark.parametrize("picture", sorted(path.stem for path in (ROOT / "docs/drills").iterdir()))
def test_no_line_of_a_drill_s_picture_is_drawn_over_a_label(picture: str) -> None:
    tags = [element.tag.removeprefix(SVG) for element in parse(f"drills/{picture}")]
    assert tags.index("text") > max(number for number, tag in enumerate(tags) if tag in DRAWN)


def test_the_frames_of_a_release_hold_its_boxes() -> None:
    def edges(kind: str) -> list[tuple[float, float]]:
        rects = [
            element
            for _, group in groups("release")
            for element in group.iter(f"{SVG}rect")
            if element.get("class") == kind
        ]
        lefts = [float(str(rect.get("x"))) for rect in rects]
        return [
            (x, x + float(str(rect.get("width")))) for x, rect in zip(lefts, rects, strict=True)
        ]

    boxes = edges("box")
    for left, right in edges("frame"):
        assert left <= min(x for x, _ in boxes)
        assert max(x for _, x in boxes) <= right
