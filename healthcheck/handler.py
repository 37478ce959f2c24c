"""The check as an AWS Lambda function: tells the log and CloudWatch, and never raises (Lambda would retry).

Environment: TIMESERVICE_URL, METRIC_NAMESPACE, DEPLOYMENT (the metrics' dimension), HEALTHCHECK_LIMIT (seconds, 1 by
default), HEALTHCHECK_NTP (servers with commas between; those that the check knows by default).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

from healthcheck import reference, telling
from healthcheck.check import Result, check
from healthcheck.reading import Reference
from healthcheck.target import completed
from healthcheck.verdict import LIMIT

METRICS = {"Healthy": "None", "ClockOffset": "Seconds", "ClockBound": "Seconds"}  # and their units


def handler(event: object, context: object) -> str:
    """Check once; returns OK or Failed.

    Trouble with the NTP servers alone does not alarm: if they are silent or contradict each other, the function's own
    clock decides, which Lambda keeps by Amazon Time Sync. What is still Unknown then (the service contradicts that
    clock, and no third one can be asked) returns Failed, but writes no metric `Healthy`: 0 is kept for what the
    service did, and the alarm counts missing data as a failure.
    """
    # Whatever is raised, a wrong setting or an error of boto3's: the metric that is missing then raises the alarm.
    try:
        result = checked()
    except Exception as trouble:
        print(f"no check was made: {trouble!a}", flush=True)
        return "Failed"
    print(telling.record(result), flush=True)
    try:
        report(metrics(result))
    except Exception as trouble:
        print(f"metrics not written: {trouble}", flush=True)
    return "OK" if result.verdict.status == "OK" else "Failed"


def checked() -> Result:
    """Check as the environment says; raises KeyError or ValueError if it is wrong."""
    listed = os.environ.get("HEALTHCHECK_NTP", "").split(",")
    servers = [name.strip() for name in listed if name.strip()] or reference.SERVERS
    return check(
        completed(os.environ["TIMESERVICE_URL"]),
        functools.partial(decisive, servers),
        float(os.environ.get("HEALTHCHECK_LIMIT") or LIMIT),
    )


def decisive(servers: Sequence[str], timeout: float) -> Reference:
    """What the NTP servers say, or the own clock if they contradict each other."""
    found = reference.measure(servers, timeout)
    return reference.own_clock("local", found.servers) if found.kind == "disagree" else found


def metrics(result: Result) -> list[dict[str, Any]]:
    """What to tell CloudWatch: Healthy (1 or 0), ClockOffset and ClockBound (seconds, the worst instance)."""
    values: dict[str, float] = {}
    if result.verdict.status != "Unknown":
        values["Healthy"] = 1.0 if result.verdict.status == "OK" else 0.0
    if worst := result.verdict.worst:
        values |= {"ClockOffset": worst.error.middle, "ClockBound": worst.error.half_width}
    dimensions = [{"Name": "Deployment", "Value": os.environ["DEPLOYMENT"]}]
    return [
        {
            "MetricName": name,
            "Value": value,
            "Unit": METRICS[name],
            "Dimensions": dimensions,
        }
        for name, value in values.items()
    ]


def report(data: list[dict[str, Any]]) -> None:
    """Write the metrics; raises what boto3 raises."""
    if not data:
        return
    # In Lambda's runtime already, and of no use anywhere else.
    import boto3
    from botocore.config import Config

    # boto3 would wait for a minute, several times over: longer than the function may run.
    patience = Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 2})
    boto3.client("cloudwatch", config=patience).put_metric_data(
        Namespace=os.environ["METRIC_NAMESPACE"], MetricData=data
    )
