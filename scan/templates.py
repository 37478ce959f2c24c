"""What checkov and cfn-guard (with the rules of AWS Control Tower) find in the templates, less what is accepted there.

Accepted is what a resource's own Metadata names, each with its reason in a sentence:

    Metadata:
      checkov: { skip: [{ id: CKV_AWS_2, comment: Why it is right here. }] }
      guard: { skip: [{ id: CT.ELASTICLOADBALANCING.PR.1, comment: Why it is right here. }] }

The scanners do not get to see it, nor any comment: they are given the templates as JSON without Metadata. So there is
one way to accept a finding, and one that is accepted but no longer found is told too.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from deployment.template import Template
from scan.tools import FOLDER, Broken, Report, run_for_json

SCANNERS = ("checkov", "guard")
REASON_WORDS = 4  # fewer are no sentence


class Finding(NamedTuple):
    """A check that a resource does not pass."""

    scanner: str
    part: str
    resource: str
    check: str


def scan(templates: dict[str, Template], folder: Path) -> Report:
    """`folder` is an empty one to work in. Raises Broken."""
    (folder / "cfn").mkdir()
    for part, template in templates.items():
        (folder / "cfn" / f"{part}.json").write_text(json.dumps(rendered(template), indent=1))
    found = {**checkov(folder), **guard(folder)}
    accepted, problems = acceptances(templates)
    for one in sorted(found.keys() - accepted):
        problems.append(f"cfn/{one.part}.yaml: {one.resource}: {one.scanner} {one.check}: {found[one]}")
    for one in sorted(accepted - found.keys()):
        problems.append(
            f"cfn/{one.part}.yaml: {one.resource}: {one.scanner} no longer finds {one.check}: take its skip away"
        )
    return Report(
        problems, [f"{len(templates)} templates; {len(accepted & found.keys())} findings accepted, each beside its resource"]
    )  # fmt: skip


def acceptances(templates: dict[str, Template]) -> tuple[set[Finding], list[str]]:
    """What the resources' Metadata accepts, and what is wrong with how it does."""
    accepted, problems = set(), []
    for part, template in templates.items():
        for resource, body in template.resources.items():
            for scanner in SCANNERS:
                for skip in body.get("Metadata", {}).get(scanner, {}).get("skip", []):
                    accepted.add(Finding(scanner, part, resource, skip["id"]))
                    if len(str(skip.get("comment", "")).split()) < REASON_WORDS:
                        problems.append(f"cfn/{part}.yaml: {resource}: {skip['id']} is skipped without a reason")
    return accepted, problems


def rendered(template: Template) -> dict[str, Any]:
    """The template as CloudFormation reads it, with each parameter's default in its place, and without Metadata."""
    defaults = {name: one["Default"] for name, one in template.parameters.items() if "Default" in one}

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(one) for one in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"Ref"} and value["Ref"] in defaults:
            return defaults[value["Ref"]]
        if value.keys() == {"Fn::GetAtt"} and isinstance(value["Fn::GetAtt"], str):
            return {"Fn::GetAtt": value["Fn::GetAtt"].split(".", 1)}
        return {key: walk(one) for key, one in value.items()}

    resources = {
        name: {key: walk(one) for key, one in body.items() if key != "Metadata"}
        for name, body in template.resources.items()
    }
    sections = {key: one for key, one in template.content.items() if key != "Metadata"}
    return {**sections, "Resources": resources}


def checkov(folder: Path) -> dict[Finding, str]:
    """What it finds in the JSON files there -> what the check is for. Raises Broken."""
    told = run_for_json(
        [FOLDER / "bin/checkov", "--directory", "cfn", "--framework", "cloudformation", "--skip-download", "--output", "json"],
        folder, statuses=(0, 1),
    )  # fmt: skip
    results = told.get("results")
    if not results or results["parsing_errors"] or results["skipped_checks"]:
        raise Broken(f"checkov has not judged every resource: {json.dumps(told)[:300]}")
    return {
        Finding("checkov", Path(one["file_path"]).stem, one["resource"].split(".", 1)[1], one["check_id"]): one["check_name"]
        for one in results["failed_checks"]
    }  # fmt: skip


def guard(folder: Path) -> dict[Finding, str]:
    """What cfn-guard finds in the JSON files there -> what the control is for. Raises Broken."""
    rules = FOLDER / "guard/rules/control-tower"
    controls = {}
    for path in rules.glob("metadata/*/*.json"):
        control = json.loads(path.read_text())
        controls[control["Id"]] = control
    told = run_for_json(
        [_guard_binary(), "validate", "--rules", rules / "cfn-guard", "--data", "cfn",
         "--structured", "--output-format", "json", "--show-summary", "none"],
        folder, statuses=(0, 19),
    )  # fmt: skip
    if {Path(one["name"]).stem for one in told} != {path.stem for path in folder.glob("cfn/*.json")}:
        raise Broken("cfn-guard has not judged every template")
    found = {}
    for one in told:
        part = Path(one["name"]).stem
        types = {
            name: body["Type"]
            for name, body in json.loads((folder / "cfn" / f"{part}.json").read_text())["Resources"].items()
        }
        for rule in one["not_compliant"]:
            (control,) = set(re.findall(r"\[(CT\.[A-Z0-9.]+)\]", json.dumps(rule)))
            # A failed comparison names what it compared with as well: only resources of the control's types count.
            judged = controls[control]["EvaluatedResourceTypes"]
            resources = {name for name in _resources(rule) if types[name] in judged}
            if not resources:
                raise Broken(f"cfn-guard's {control} failed on no resource of {part} that it is for")
            for name in resources:
                found[Finding("guard", part, name, control)] = controls[control]["DisplayName"]
    return found


def _guard_binary() -> Path:
    system = "macos" if sys.platform == "darwin" else "ubuntu"  # statically linked: it runs on any Linux
    machine = "aarch64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    return FOLDER / "guard/bin" / system / machine / "cfn-guard"


def _resources(rule: Any) -> Iterator[str]:
    """The logical ids in the paths that a rule's report names."""
    if isinstance(rule, dict):
        if isinstance(rule.get("path"), str) and rule["path"].startswith("/Resources/"):
            yield rule["path"].split("/")[2]
        for one in rule.values():
            yield from _resources(one)
    elif isinstance(rule, list):
        for one in rule:
            yield from _resources(one)
