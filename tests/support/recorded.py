"""A recorded state of Pulumi, and the stacks in it as CloudFormation describes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deployment.state import STACK

FILE = Path(__file__).parents[1] / "ops/states/interrupted-release.json"
OLD = "0123456789ab"  # the release that serves
ORPHAN = "ba9876543210"  # the release whose creation was cut off


def load_state() -> dict[str, Any]:
    """Return the state of the stack prod, in which the creation of a release was cut off."""
    return dict(json.loads(FILE.read_text()))


def describe(state: dict[str, Any], statuses: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the stacks of a state and of its pending operations, as CloudFormation has them.

    statuses: by the names of resources; CREATE_COMPLETE by default.
    """
    deployment = state["deployment"]
    pending = [item["resource"] for item in deployment.get("pending_operations", [])]
    stacks = []
    for number, resource in enumerate([*deployment["resources"], *pending]):
        if resource["type"] != STACK:
            continue
        name = resource["inputs"]["name"]
        arn = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{name}/new"
        part = resource["urn"].split("::")[-1]
        outputs = resource.get("outputs", {}).get("outputs", {})
        stacks.append(
            {
                "StackName": name,
                "StackId": resource.get("id", arn),
                "StackStatus": (statuses or {}).get(part, "CREATE_COMPLETE"),
                "CreationTime": datetime(2026, 11, 28, tzinfo=UTC) + timedelta(minutes=number),
                "Parameters": [
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in resource["inputs"]["parameters"].items()
                ],
                "Outputs": [
                    {"OutputKey": key, "OutputValue": value}
                    for key, value in {**outputs, "Release": ORPHAN}.items()
                ],
                "Tags": [{"Key": "deployment", "Value": "timeservice-prod"}],
            }
        )
    return stacks
