"""What the healthcheck's function has logged in the local cloud."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deployment.ownership import outputs_of

# Lambda's own lines about each run.
ABOUT_RUNS = ("START ", "END ", "REPORT ", "INIT_START ")
PERIOD = 3600  # seconds of the log that are read


def read_log(
    client: Callable[[str], Any], stacks: Iterable[Mapping[str, Any]]
) -> list[tuple[int, str]]:
    """Return the lines of the last hour: their time in milliseconds, and their text.

    stacks: the deployment's. Raises what boto3 raises.
    """
    outputs = [outputs_of(stack) for stack in stacks]
    groups = [output["LogGroup"] for output in outputs if "LogGroup" in output]
    start = int((time.time() - PERIOD) * 1000)
    events = [
        event
        for group in groups
        for page in client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=group, startTime=start)
        for event in page["events"]
    ]
    lines = [(event["timestamp"], event["message"].strip()) for event in events]
    return sorted(line for line in lines if line[1] and not line[1].startswith(ABOUT_RUNS))


def format_verdict(text: str) -> str:
    """Return a verdict's status and its detail; another line as it is."""
    try:
        verdict = json.loads(text)
        return f"{verdict['status']} {verdict['detail']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return text
