"""What others make is pinned with its digest, and no checker is told to look away from everything at once."""

from __future__ import annotations

import functools
import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from scan.vulnerabilities import locks
from tests.support.templates import RESOURCES, TEMPLATES

ROOT = Path(__file__).parents[2]
# name==version, with an optional condition, and at least one digest
PIN = re.compile(r"([\w.-]+)(\[[\w,-]+\])?==[\w.+!-]+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+")
# What brings packages of other kinds.
MANIFESTS = (
    "package.json",
    "Cargo.toml",
    "go.mod",
    "Gemfile",
    "pom.xml",
    "*.gradle",
    "composer.json",
    "Pipfile",
)
# What turns a check off for all templates, files or packages.
OFF = re.compile(
    r"--(skip-(?!download)|soft-fail|baseline|exclude(?!-standard)|ignore-(vuln|check)|config-file|disable-rule)"
)

each_lock = pytest.mark.parametrize("lock", locks(), ids=lambda path: str(path.relative_to(ROOT)))


@functools.cache
def tree() -> list[Path]:
    """All files, without what is built and what git keeps."""
    ours = [path for path in ROOT.iterdir() if path.name not in {".git", ".venv", "build"}]
    return sorted(
        one
        for path in ours
        for one in (path.rglob("*") if path.is_dir() else [path])
        if one.is_file()
    )


def files(*patterns: str) -> list[Path]:
    return [path for path in tree() if any(fnmatch(path.name, one) for one in patterns)]


def pins(lock: Path) -> list[re.Match[str] | None]:
    """One for each package of a lock; None for one that is not pinned."""
    lines = lock.read_text().replace("\\\n", "").splitlines()
    return [
        PIN.fullmatch(" ".join(line.split()))
        for line in lines
        if line and not line.lstrip().startswith("#")
    ]


@each_lock
def test_every_package_is_pinned_by_version_and_digest(lock: Path) -> None:
    assert pins(lock)
    assert None not in pins(lock)


@each_lock
def test_a_lock_has_all_that_its_source_asks_for(lock: Path) -> None:
    asked = re.findall(r"^(\w[\w.-]*)", lock.with_suffix(".in").read_text(), re.MULTILINE)
    assert {one.lower().replace(".", "-") for one in asked} <= {one[1] for one in pins(lock) if one}


def test_every_lock_is_renewed_by_make_lock_and_looked_up_by_make_scan() -> None:
    assert locks() == [path for path in files("*.txt") if "--hash=sha256:" in path.read_text()]
    script = (ROOT / "scripts/lock.sh").read_text()
    (folders,) = re.findall(r"for folder in (.*); do", script)
    renewed = {f"{folder}/requirements.txt" for folder in folders.split()}
    renewed.update(re.findall(r"-o ([\w/]+\.txt)", script))
    assert {str(path.relative_to(ROOT)) for path in locks()} == renewed


def test_nothing_is_installed_without_its_digest_being_checked() -> None:
    scripts = [
        path.read_text().replace("\\\n", "")
        for path in files("*.sh", "Makefile", "Dockerfile", "run")
    ]
    installs = [
        line
        for text in scripts
        for line in text.splitlines()
        if re.search(r"pip\S* install ", line)
    ]
    assert len(installs) >= 5
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_the_only_packages_of_another_kind_are_npms_that_tests_use_and_they_are_pinned_too() -> (
    None
):
    (manifest,) = files(*MANIFESTS)
    assert manifest == ROOT / "tests/cfn/permissions/package.json"
    packages = json.loads(manifest.with_name("package-lock.json").read_text())["packages"]
    asked = json.loads(manifest.read_text())["dependencies"]
    assert {f"node_modules/{name}" for name in asked} <= packages.keys()
    loose = [
        name
        for name, one in packages.items()
        if name and not one.get("integrity", "").startswith("sha512-")
    ]
    assert loose == []
    installs = re.findall(
        r"^ *our_npm (\w+)", (ROOT / "scripts/evaluators.sh").read_text(), re.MULTILINE
    )
    assert installs == ["ci"]  # which takes what is locked, and nothing else


def test_images_are_made_from_our_own_base_alone() -> None:
    froms = [
        re.findall(r"^FROM (.*)$", path.read_text(), re.MULTILINE) for path in files("Dockerfile")
    ]
    assert froms == [["${BASE}"], ["${BASE}"]]


def test_ruff_ignores_few_rules_and_asserts_in_tests() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    assert "S" in settings["lint"]["select"]
    assert settings["lint"]["per-file-ignores"] == {
        "tests/*": ["S101"],
        "tests/service/abuse/*": ["E501"],
    }
    assert settings["lint"]["ignore"] == ["S603", "S606", "S607", "S311"]
    assert not {*settings, *settings["lint"]} & {
        "extend-ignore",
        "extend-per-file-ignores",
        "exclude",
    }
    assert settings["extend-exclude"] == [".venv", "build"]
    assert files("ruff.toml", ".ruff.toml") == []


def test_every_line_that_bandits_rules_let_pass_says_why() -> None:
    silent = re.compile(r"# noqa(:[A-Z0-9, ]*\bS\d+[A-Z0-9, ]*)?$", re.MULTILINE)
    assert [
        str(path.relative_to(ROOT)) for path in files("*.py") if silent.search(path.read_text())
    ] == []


def test_no_scanner_of_templates_has_settings_that_hold_for_all() -> None:
    assert files(".checkov*", "checkov.y*ml") == []
    assert yaml.safe_load((ROOT / ".cfnlintrc").read_text()).keys() == {
        "templates",
        "include_checks",
        "regions",
    }
    for part, template in TEMPLATES.items():
        assert set(template.content.get("Metadata", {})) <= {"AWS::CloudFormation::Interface"}, part
    assert "cfn-lint" not in {key for one in RESOURCES.values() for key in one.get("Metadata", {})}


@pytest.mark.parametrize("folder", ["scan", "scripts"])
def test_the_scanners_are_not_told_what_to_skip(folder: str) -> None:
    code = [
        path for path in tree() if path.parent == ROOT / folder and path.suffix in (".py", ".sh")
    ]
    assert code
    assert [path.name for path in code if OFF.search(path.read_text())] == []
