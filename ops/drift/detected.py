"""What CloudFormation's own drift detection finds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.drift.compare import Difference
from ops.drift.findings import GONE, Drift, Findings

PATIENCE = 300  # seconds for one stack
WHO = "CloudFormation's own detection"


def detected(cloudformation: Any, stack: str) -> Findings:
    """In `unchecked` why it did not run."""
    try:
        told = _run(cloudformation, stack)
        if told is None:
            return Findings([], [f"{WHO} takes more than {PATIENCE} s"])
        drifts = list(_drifts(cloudformation, stack))
    except (BotoCoreError, ClientError) as refused:
        return Findings([], [f"{WHO}: {refused}"])
    failed = told["DetectionStatus"] == "DETECTION_FAILED"
    return Findings(drifts, [f"{WHO}: {told.get('DetectionStatusReason')}"] if failed else [])


def _run(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    """How it ended; None if it has not."""
    detection = cloudformation.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        told: dict[str, Any] = cloudformation.describe_stack_drift_detection_status(
            StackDriftDetectionId=detection
        )
        if told["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            return told
        time.sleep(0.5)
    return None


def _drifts(cloudformation: Any, stack: str) -> Iterator[Drift]:
    options = {"StackName": stack, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
    while True:  # boto3 has no paginator for it
        answer = cloudformation.describe_stack_resource_drifts(**options)
        for one in answer["StackResourceDrifts"]:
            if one["StackResourceDriftStatus"] == "DELETED":
                yield Drift(stack, one["LogicalResourceId"], GONE)
            for each in one.get("PropertyDifferences", []):
                found = Difference(each["PropertyPath"], each["ExpectedValue"], each["ActualValue"])
                yield Drift(stack, one["LogicalResourceId"], found)
        if not (token := answer.get("NextToken")):
            return
        options["NextToken"] = token
