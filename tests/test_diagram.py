"""The picture of the deployment: it is what the templates say."""

from __future__ import annotations

import pytest

from audit.diagram import wiring
from audit.diagram.__main__ import PAGE, renewed
from audit.diagram.mermaid import text
from deployment.template import Template, read


def test_the_picture_in_the_docs_is_the_templates() -> None:
    page = PAGE.read_text()
    assert renewed(page) == page, "run: make diagram"


def test_from_the_internet_one_arrow_leads_to_the_balancer_and_none_elsewhere() -> None:
    arrows = [line for line in text().splitlines() if "  internet --" in line]
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
            '"PrivateSubnetA, PrivateSubnetB<br>routes: "',
        ),
    ],
)
def test_a_template_that_changes_changes_the_picture(
    monkeypatch: pytest.MonkeyPatch, part: str, old: str, new: str, seen: str
) -> None:
    before = text()
    changed = Template(read(part).body.replace(old, new))
    monkeypatch.setattr(wiring, "read", lambda name: changed if name == part else read(name))
    after = text()
    assert after != before
    assert seen in after
