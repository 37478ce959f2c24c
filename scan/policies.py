"""The two scanners of templates: checkov with its own policies, cfn-guard with those of AWS Control Tower.

Each reads the JSON files in the folder `cfn` of a folder, and names what does not pass.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scan.tools import FOLDER, Broken, run_for_json

RULES = FOLDER / "guard/rules/control-tower"


class Finding(NamedTuple):
    """A check that a resource does not pass."""

    part: str
    resource: str
    scanner: str
    check: str

    def __str__(self) -> str:
        return f"cfn/{self.part}.yaml: {self.resource}: {self.scanner} {self.check}"


def checkov(folder: Path) -> dict[Finding, str]:
    """What it finds -> what the check is for. Raises Broken."""
    told = run_for_json(
        [
            FOLDER / "bin/checkov",
            "--directory=cfn",
            "--framework=cloudformation",
            "--skip-download",
            "--output=json",
        ],
        folder,
        statuses=(0, 1),
    )
    results = told.get("results")
    if not results or results["parsing_errors"] or results["skipped_checks"]:
        raise Broken(f"checkov has not judged every resource: {json.dumps(told)[:300]}")
    found = {}
    for one in results["failed_checks"]:
        resource = one["resource"].split(".", 1)[1]  # TYPE.LOGICAL-ID
        found[Finding(Path(one["file_path"]).stem, resource, "checkov", one["check_id"])] = one[
            "check_name"
        ]
    return found


def guard(folder: Path) -> dict[Finding, str]:
    """What cfn-guard finds -> what the control is for. Raises Broken."""
    told = run_for_json(
        [_binary(), "validate", "--rules", RULES / "cfn-guard", "--data=cfn", "--structured", "--output-format=json",
         "--show-summary=none"],
        folder,
        statuses=(0, 19),
    )  # fmt: skip
    if {Path(one["name"]).stem for one in told} != {
        path.stem for path in folder.glob("cfn/*.json")
    }:
        raise Broken("cfn-guard has not judged every template")
    controls = {one["Id"]: one for one in map(_read, RULES.glob("metadata/*/*.json"))}
    found = {}
    for one in told:
        part = Path(one["name"]).stem
        types = {
            name: body["Type"]
            for name, body in _read(folder / f"cfn/{part}.json")["Resources"].items()
        }
        for rule in one["not_compliant"]:
            (control,) = set(re.findall(r"\[(CT\.[A-Z0-9.]+)\]", json.dumps(rule)))
            # A comparison that failed names what it compared with as well: what counts are the control's own types.
            judged = controls[control]["EvaluatedResourceTypes"]
            resources = {name for name in _resources(rule) if types[name] in judged}
            if not resources:
                raise Broken(
                    f"cfn-guard's {control} failed in cfn/{part}.yaml, on no resource that it is for"
                )
            for name in resources:
                found[Finding(part, name, "guard", control)] = controls[control]["DisplayName"]
    return found


SCANNERS = {"checkov": checkov, "guard": guard}


def _binary() -> Path:
    system = (
        "macos" if sys.platform == "darwin" else "ubuntu"
    )  # statically linked: it runs on any Linux
    machine = "aarch64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    return FOLDER / "guard/bin" / system / machine / "cfn-guard"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _resources(report: Any) -> Iterator[str]:
    """The logical ids in the paths that a rule's report names."""
    if isinstance(report, dict):
        path = report.get("path")
        if isinstance(path, str) and path.startswith("/Resources/"):
            yield path.split("/")[2]
        report = list(report.values())
    if isinstance(report, list):
        for one in report:
            yield from _resources(one)
