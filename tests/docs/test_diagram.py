"""The pictures of the deployment and of a release: they are what the templates say."""

from __future__ import annotations

import re

import pytest

from deployment.template import Template, read
from ops.diagram import flowchart, sequence, wiring
from ops.diagram.__main__ import PAGE, renewed


def test_the_picture_in_the_docs_is_the_templates() -> None:
    page = PAGE.read_text()
    assert renewed(page) == page, "run: python -m ops.diagram"


def test_from_the_internet_one_arrow_leads_to_the_balancer_and_none_elsewhere() -> None:
    arrows = [line for line in flowchart.text().splitlines() if "  internet --" in line]
    assert arrows == ['  internet -- "tcp 80 from 0.0.0.0/0" --> balancer_LoadBalancer']


@pytest.mark.parametrize(
    ("part", "old", "new", "seen"),
    [
        ("network", "CidrIp: 0.0.0.0/0", "CidrIp: 192.0.2.0/24", "from 192.0.2.0/24"),
        ("network", "FromPort: 443", "FromPort: 22", '"tcp 22-443" --> network_S3Endpoint'),
        ("balancer", "Values: [/, /now]", "Values: [/, /now, /admin]", "/admin"),
        (
            "network",
            "RouteTableIds: [!Ref PrivateRouteTable]",
            "RouteTableIds: []",
            '>"routes: "]',
        ),
    ],
)
def test_a_template_that_changes_changes_the_picture(
    monkeypatch: pytest.MonkeyPatch, part: str, old: str, new: str, seen: str
) -> None:
    before = flowchart.text()
    changed = Template(read(part).body.replace(old, new))
    monkeypatch.setattr(wiring, "read", lambda name: changed if name == part else read(name))
    after = flowchart.text()
    assert after != before
    assert seen in after


def test_each_step_of_a_host_s_start_is_in_the_picture_with_whom_it_asks() -> None:
    names = re.findall(r'^ *step="(.*)"$', read("hosts").body, re.MULTILINE)
    assert [what for _, what in sequence.steps()] == names
    assert ("S3", "loading the image from S3") in sequence.steps()
    assert ("time", "waiting for the clock to be synchronised") in sequence.steps()
    assert ("hosts", "starting the service") in sequence.steps()


@pytest.mark.parametrize(
    ("part", "old", "new", "seen"),
    [
        ("hosts", 'step="installing Docker"', 'step="installing Podman"', "S3: installing Podman"),
        ("hosts", 'Timeout: "1500"', 'Timeout: "600"', "within 10 minutes"),
        ("balancer", "HealthyThresholdCount: 2", "HealthyThresholdCount: 3", "3 good ones"),
    ],
)
def test_a_template_that_changes_changes_the_picture_of_a_release(
    monkeypatch: pytest.MonkeyPatch, part: str, old: str, new: str, seen: str
) -> None:
    assert seen not in sequence.text()
    changed = Template(read(part).body.replace(old, new))
    monkeypatch.setattr(sequence, "read", lambda name: changed if name == part else read(name))
    assert seen in sequence.text()
