"""The check as an AWS Lambda function: tells the log and CloudWatch, and never raises (Lambda would retry).

Environment: TIMESERVICE_URL, METRIC_NAMESPACE, DEPLOYMENT (the metrics' dimension), HEALTHCHECK_NTP (optional,
comma-separated servers).
"""

from __future__ import annotations

import functools
import os
from typing import Any

from healthcheck import reference, telling
from healthcheck.check import Result, check
from healthcheck.target import completed


def handler(event: object, context: object) -> str:
    """Check once; returns OK or Failed.

    Unknown returns Failed as well, but reports no metric `Healthy`: the alarm counts missing data as a failure, so a
    checker that can never judge is noticed, while Healthy = 0 is kept for what was proven.
    """
    servers = [one for one in os.environ.get("HEALTHCHECK_NTP", "").split(",") if one]
    ask = functools.partial(reference.measure, servers or reference.SERVERS)
    result = check(completed(os.environ["TIMESERVICE_URL"]), ask)
    print(telling.record(result), flush=True)
    try:
        report(metrics(result))
    except Exception as trouble:  # whatever boto3 raises: the missing metric raises the alarm
        print(f"metrics not written: {trouble}", flush=True)
    return "OK" if result.verdict.status == "OK" else "Failed"


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
            "Unit": "None" if name == "Healthy" else "Seconds",
            "Dimensions": dimensions,
        }
        for name, value in values.items()
    ]


def report(data: list[dict[str, Any]]) -> None:
    import boto3  # in Lambda's runtime already, and of no use anywhere else

    boto3.client("cloudwatch").put_metric_data(
        Namespace=os.environ["METRIC_NAMESPACE"], MetricData=data
    )
