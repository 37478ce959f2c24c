"""checkov finds what a template should not have."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.scanning import ROOT, create_tree, run_scan

pytestmark = pytest.mark.integration

# name -> the template, what is replaced in it, by what, and what checkov finds then
FAULTS = {
    "ssh": (
        "network",
        "          ToPort: 80\n          CidrIp: 0.0.0.0/0\n",
        """          ToPort: 80
          CidrIp: 0.0.0.0/0
        - { Description: SSH, IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0 }
""",
        {"BalancerSecurityGroup CKV_AWS_24"},
    ),
    "public-bucket": (
        "artifacts",
        "BlockPublicAcls: true",
        "BlockPublicAcls: false",
        {"Bucket CKV_AWS_53"},
    ),
    "metadata-v1": (
        "hosts",
        "HttpTokens: required",
        "HttpTokens: optional",
        {"LaunchTemplate CKV_AWS_79"},
    ),
    "public-hosts": (
        "hosts",
        "AssociatePublicIpAddress: false",
        "AssociatePublicIpAddress: true",
        {"LaunchTemplate CKV_AWS_88"},
    ),
    "root": (
        "hosts",
        "Action: s3:GetObject\n                Resource: ",
        'Action: "*"\n                Resource: "*" # ',
        {"HostRole CKV_AWS_62", "HostRole CKV_AWS_63"},
    ),
    "smuggling": (
        "balancer",
        'header_fields.enabled, Value: "true"',
        'header_fields.enabled, Value: "false"',
        {"LoadBalancer CKV_AWS_131"},
    ),
    "not-accepted": (
        "healthcheck",
        "checkov:skip=CKV_AWS_115:",
        "checkov:skip=CKV_AWS_999:",
        {"Function CKV_AWS_115"},
    ),
}
FINDING = re.compile(
    r"^Check: (\w+):.*\n\s+FAILED for resource: [\w:]+\.(\w+)\n\s+File: /([\w-]+)\.yaml", re.M
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The report on all faults at once, because checkov takes seconds to start."""
    folder = create_tree(tmp_path_factory.mktemp("scan") / "tree")
    (folder / "cfn").mkdir()
    for name, (part, old, new, _) in FAULTS.items():
        text = (ROOT / f"cfn/{part}.yaml").read_text()
        assert text.count(old) == 1, name
        (folder / f"cfn/{name}.yaml").write_text(text.replace(old, new))
    # checkov reads settings in its working directory and in the home folder.
    home = tmp_path_factory.mktemp("home")
    for place in (home, folder):
        (place / ".checkov.yaml").write_text("skip-check: [CKV_AWS_24, CKV_AWS_53]\n")
    return run_scan(folder, "templates", HOME=str(home))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_a_template_is_found_and_nothing_else(
    name: str, report: subprocess.CompletedProcess[str]
) -> None:
    assert report.returncode == 1
    found = {
        f"{resource} {check}"
        for check, resource, template in FINDING.findall(report.stderr)
        if template == name
    }
    assert found == FAULTS[name][3]


def test_a_template_that_checkov_cannot_read_fails_the_scan(tmp_path: Path) -> None:
    folder = create_tree(tmp_path / "tree")
    (folder / "cfn").mkdir()
    shutil.copy(ROOT / "cfn/network.yaml", folder / "cfn")
    (folder / "cfn/broken.yaml").write_text("Resources: [a: {\n")
    done = run_scan(folder, "templates")
    assert done.returncode == 1
    assert "checkov cannot read a template" in done.stderr


def test_a_folder_without_templates_fails_the_scan(tmp_path: Path) -> None:
    folder = create_tree(tmp_path / "tree")
    (folder / "cfn").mkdir()
    done = run_scan(folder, "templates")
    assert done.returncode == 1
    assert "checkov has judged no template" in done.stderr
