"""The project has one version, workflows with few permissions, and guides that name what exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from healthcheck import __version__
from tests.scripts.test_makefile import TARGETS

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.stem))


def workflow(path: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(path.read_text())
    return content


def test_the_changelog_has_a_dated_section_for_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert sections[0] == __version__
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE) == ["Unreleased", *sections]


def test_no_guide_has_another_version_of_the_healthcheck_s_image() -> None:
    guides = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    versions = [
        tag
        for path in guides
        for tag in re.findall(r"timeservice-healthcheck:(\d[\w.]*)", path.read_text())
    ]
    assert set(versions) == {__version__}


@each_workflow
def test_a_workflow_takes_actions_by_commit_and_says_of_which_version(path: Path) -> None:
    uses = re.findall(r"uses: (.*)", path.read_text())
    assert uses
    assert [
        use for use in uses if not re.match(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)
    ] == []


@each_workflow
def test_a_workflow_has_no_permission_but_each_job_s_own_and_keeps_no_token(path: Path) -> None:
    content = workflow(path)
    assert content["permissions"] == {}
    for job in content["jobs"].values():
        assert job["permissions"].pop("contents") == "read"
        assert set(job["permissions"]) <= {"id-token"}  # for GitHub's token, which AWS exchanges
        (checkout,) = [step for step in job["steps"] if "actions/checkout" in step.get("uses", "")]
        assert checkout["with"]["persist-credentials"] is False


@each_workflow
def test_no_run_of_a_workflow_is_cancelled_by_the_next(path: Path) -> None:
    assert workflow(path)["concurrency"]["cancel-in-progress"] is False


def test_the_guide_to_the_deployment_from_github_sets_what_the_workflow_reads() -> None:
    page = (ROOT / "docs/deploy-from-github.md").read_text()
    workflow_text = (ROOT / ".github/workflows/deploy.yml").read_text()
    listed = re.findall(r"^\| (variable|secret) \| `(\w+)` \|", page, re.MULTILINE)
    read = re.findall(r"\b(var|secret)s\.(\w+)", workflow_text)
    assert set(listed) == {(kind.replace("var", "variable"), name) for kind, name in read}
    trust, state = [json.loads(text) for text in re.findall(r"```json\n(.+?)```", page, re.S)]
    (environment,) = re.findall(r"environment: (\w+)", workflow_text)
    subject = trust["Statement"][0]["Condition"]["StringEquals"]
    assert subject["token.actions.githubusercontent.com:sub"].endswith(
        f":environment:{environment}"
    )
    buckets = {name for text in re.findall(r"s3://([\w-]+)|s3:::([\w-]+)", page) for name in text}
    assert len(buckets - {""}) == 1
    assert "s3:PutObject" in state["Statement"][1]["Action"]


def test_what_the_guide_for_contributors_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert set(re.findall(r"(?:`|^\$ )make ([a-z-]+)", text, re.MULTILINE)) <= TARGETS
    paths = re.findall(r"`((?:[\w.-]+/)[\w./-]*|\w+\.(?:py|md|yaml))`", text)
    assert len(paths) > 15
    examples = {"cfn/NAME.yaml"}
    assert [path for path in paths if path not in examples and not (ROOT / path).exists()] == []


def test_the_local_cloud_is_smaller_than_what_it_rehearses() -> None:
    system = lines("cfn", "deployment", "__main__.py", "service", "sntp.py", "healthcheck")
    assert lines("local") < system * 2 / 3


def lines(*names: str) -> int:
    """Return the number of lines in these files, without locks, which are generated."""
    files = [
        path
        for name in names
        for path in [ROOT / name, *(ROOT / name).rglob("*")]
        if path.is_file() and "__pycache__" not in path.parts and path.name != "requirements.txt"
    ]
    return sum(len(path.read_text().splitlines()) for path in files)


def test_the_table_of_the_local_cloud_names_each_of_its_files() -> None:
    table = re.findall(r"^\| (`.+?) \|", (ROOT / "local/README.md").read_text(), re.MULTILINE)
    named = {name for cell in table for name in re.findall(r"`([\w./-]+\.(?:py|sh|cfg))`", cell)}
    files = {
        str(path.relative_to(ROOT / "local"))
        for suffix in ("py", "sh", "cfg")
        for path in (ROOT / "local").rglob(f"*.{suffix}")
        if path.name != "__init__.py"
    }
    assert named == files
