"""What checkov and cfn-guard find in the templates, less what is accepted there.

Accepted is what a resource's own Metadata names, each with its reason in a sentence:

    Metadata:
      checkov: { skip: [{ id: CKV_AWS_2, comment: Why it is right here. }] }
      guard: { skip: [{ id: CT.ELASTICLOADBALANCING.PR.1, comment: Why it is right here. }] }

The scanners do not get to see it, nor any comment: they are given the templates as JSON without Metadata. So there is
one way to accept a finding, and one that is accepted but no longer found is told too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deployment.template import Template
from scan.policies import SCANNERS, Finding
from scan.tools import Report

REASON_WORDS = 4  # fewer are no sentence


def scan(templates: dict[str, Template], folder: Path) -> Report:
    """`folder` is an empty one to work in. Raises Broken."""
    (folder / "cfn").mkdir()
    for part, template in templates.items():
        (folder / "cfn" / f"{part}.json").write_text(json.dumps(rendered(template), indent=1))
    found: dict[Finding, str] = {}
    for scanner in SCANNERS.values():
        found |= scanner(folder)
    accepted = acceptances(templates)
    problems = [f"{one}: {found[one]}" for one in sorted(found.keys() - accepted.keys())]
    problems += [
        f"{one}: no longer found; take its skip away"
        for one in sorted(accepted.keys() - found.keys())
    ]
    problems += [
        f"{one}: skipped without a reason in a sentence"
        for one, reason in sorted(accepted.items())
        if len(reason.split()) < REASON_WORDS
    ]
    both = len(accepted.keys() & found.keys())
    return Report(
        problems,
        [f"{len(templates)} templates; {both} findings accepted, each beside its resource"],
    )


def acceptances(templates: dict[str, Template]) -> dict[Finding, str]:
    """What the resources' Metadata accepts -> why."""
    return {
        Finding(part, resource, scanner, str(skip["id"])): str(skip.get("comment", ""))
        for part, template in templates.items()
        for resource, body in template.resources.items()
        for scanner in SCANNERS
        for skip in body.get("Metadata", {}).get(scanner, {}).get("skip", [])
    }


def rendered(template: Template) -> dict[str, Any]:
    """The template as CloudFormation reads it, with each parameter's default in its place, and without Metadata."""
    defaults = {
        name: one["Default"] for name, one in template.parameters.items() if "Default" in one
    }

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
