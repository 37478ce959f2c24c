"""Packages are pinned with their digests, and no checker ignores a rule everywhere."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from tests.support.templates import RESOURCES, TEMPLATES

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
# name==version, with an optional condition, and at least one digest
PIN = re.compile(r"([\w.-]+)(\[[\w,-]+\])?==[\w.+!-]+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+")
# Files that would bring packages of other package managers.
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
# Options that turn a check off for all templates, files or packages.
OFF = re.compile(
    r"--(skip-(?!download|regex '//me:hush@')|soft-fail|baseline|exclude(?!-standard)"
    r"|ignore-(vuln|check)|config-file|disable-rule)"
)

# Each file that is exported from uv.lock -> the options that choose its packages.
EXPORTS = {
    "healthcheck/requirements.txt": ["--no-default-groups"],
    "service/requirements.txt": ["--only-group", "service"],
    "local/requirements.txt": ["--only-group", "local"],
    "scripts/uv.txt": ["--only-group", "uv"],
}


@functools.cache
def tree() -> list[Path]:
    """Return all files except built ones and git's own."""
    ours = [path for path in ROOT.iterdir() if path.name not in {".git", ".venv", "build"}]
    return sorted(
        file
        for path in ours
        for file in (path.rglob("*") if path.is_dir() else [path])
        if file.is_file()
    )


def files(*patterns: str) -> list[Path]:
    return [path for path in tree() if any(fnmatch(path.name, pattern) for pattern in patterns)]


def pins(lock: Path) -> list[re.Match[str] | None]:
    """Return a match for each package of a file, and None for a package that is not pinned."""
    lines = lock.read_text().replace("\\\n", "").splitlines()
    return [
        PIN.fullmatch(" ".join(line.split()))
        for line in lines
        if line and not line.lstrip().startswith("#")
    ]


@pytest.mark.parametrize("name", EXPORTS)
def test_every_exported_package_is_pinned_by_version_and_digest(name: str) -> None:
    assert pins(ROOT / name)
    assert None not in pins(ROOT / name)


@pytest.mark.parametrize("name", EXPORTS)
def test_an_exported_file_is_what_uv_lock_pins(name: str) -> None:
    command = [UV, "export", "--frozen", "--no-header", "--no-annotate", "--no-emit-project"]
    done = subprocess.run(
        [*command, *EXPORTS[name]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (ROOT / name).read_text() == done.stdout


def test_make_lock_renews_each_exported_file() -> None:
    script = (ROOT / "scripts/lock.sh").read_text()
    calls = re.findall(r"^ +export_lock (\S+) (.*)$", script, re.MULTILINE)
    assert {name: options.split() for name, options in calls} == EXPORTS
    hashed = [path for path in files("*.txt") if "--hash=sha256:" in path.read_text()]
    assert {str(path.relative_to(ROOT)) for path in hashed} == set(EXPORTS)


def test_uv_lock_pins_what_pyproject_asks_for(tmp_path: Path) -> None:
    subprocess.run(
        [UV, "lock", "--check", "--offline", "--cache-dir", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )


def test_uv_lock_names_public_files_with_their_digests() -> None:
    text = (ROOT / "uv.lock").read_text()
    assert set(re.findall(r"https?://[^/\"]+", text)) == {
        "https://files.pythonhosted.org",
        "https://pypi.org",
    }
    packages = tomllib.loads(text)["package"]
    sources = {next(iter(package["source"])) for package in packages}
    assert sources == {"registry", "editable"}
    for package in packages:
        for file in package.get("wheels", []):
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), package["name"]


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
    assert len(installs) >= 2
    assert [line for line in installs if "--require-hashes" not in line] == []
    # uv sync checks the digests of uv.lock; --locked refuses a lock that pyproject.toml has left
    # behind.
    syncs = [
        line for text in scripts for line in text.splitlines() if re.search(r"\buv sync ", line)
    ]
    assert [line for line in syncs if "--locked" not in line and not line.startswith("#")] == []


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
        for name, package in packages.items()
        if name and not package.get("integrity", "").startswith("sha512-")
    ]
    assert loose == []
    installs = re.findall(
        r"^ *our_npm (\w+)", (ROOT / "scripts/tools.sh").read_text(), re.MULTILINE
    )
    assert installs == ["ci"]  # npm ci installs only what is locked


def test_images_are_made_from_our_own_base_alone_and_run_nothing_meanwhile() -> None:
    """Each machine can then make the images for both architectures."""
    for path in (ROOT / "healthcheck/Dockerfile", ROOT / "service/Dockerfile"):
        steps = re.findall(r"^(FROM|ADD|COPY|RUN) (.*)$", path.read_text(), re.MULTILINE)
        assert steps == [("FROM", "scratch"), ("ADD", "base.tar /"), ("COPY", "app /app")]


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
    bodies = [*RESOURCES.values(), *(template.content for template in TEMPLATES.values())]
    assert [body for body in bodies if "Metadata" in body] == []


def test_a_finding_is_accepted_beside_its_resource_with_a_reason_in_a_sentence() -> None:
    templates = "".join(template.body for template in TEMPLATES.values())
    reasons = re.findall(r"^    # checkov:skip=CKV_AWS_\d+:(.+)", templates, re.MULTILINE)
    assert len(reasons) > 5
    assert len(reasons) == templates.count("checkov:")
    assert [reason for reason in reasons if len(reason.split()) < 4] == []


def test_the_scanners_are_not_told_what_to_skip() -> None:
    code = files("*.sh")
    assert code
    assert [path.name for path in code if OFF.search(path.read_text())] == []
