"""The check as an AWS Lambda function, which writes to its log and to CloudWatch.

Environment: TIMESERVICE_URL, METRIC_NAMESPACE, DEPLOYMENT (the metrics' dimension),
HEALTHCHECK_LIMIT (seconds; default 1), HEALTHCHECK_INSTANCES (hosts that must respond; default 1),
HEALTHCHECK_NTP (servers, with commas between; default as in the command).
"""

import functools
import os
from collections.abc import Sequence

from healthcheck import reference
from healthcheck.check import Result, check
from healthcheck.formats import json
from healthcheck.reading import Reference
from healthcheck.url import complete_url
from healthcheck.verdict import LIMIT

# The metrics and their units.
METRICS = {
    "Healthy": "None",
    "ClockOffset": "Seconds",
    "ClockBound": "Seconds",
    "InstancesSeen": "Count",
}


def handler(event: object, context: object) -> str:
    """Check once; return OK or Failed. Never raises, because Lambda would retry.

    Trouble with the NTP servers alone raises no alarm. If they are silent or contradict each other,
    the function's own clock decides, which Lambda keeps by Amazon Time Sync. If the service then
    contradicts that clock, the verdict stays Unknown. The function returns Failed and writes no
    metric `Healthy`: 0 is kept for faults of the service, and the alarm counts missing data.
    """
    # On any exception the metric is missing, and the alarm fires.
    try:
        names = os.environ.get("HEALTHCHECK_NTP", "").split(",")
        servers = [name.strip() for name in names if name.strip()] or reference.SERVERS
        result = check(
            complete_url(os.environ["TIMESERVICE_URL"]),
            ask_reference=functools.partial(measure_reference, servers),
            limit=float(os.environ.get("HEALTHCHECK_LIMIT") or LIMIT),
            instances=int(os.environ.get("HEALTHCHECK_INSTANCES") or 1),
        )
    except Exception as error:
        print(f"no check was made: {error!a}", flush=True)
        return "Failed"
    print(json.render(result), flush=True)
    try:
        put_metrics(result)
    except Exception as error:
        print(f"metrics not written: {error}", flush=True)
    return "OK" if result.verdict.status == "OK" else "Failed"


def measure_reference(servers: Sequence[str], timeout: float) -> Reference:
    """Measure true time by NTP, or by our own clock if the servers contradict each other."""
    measured = reference.measure(servers, timeout)
    if measured.kind == "disagree":
        return reference.use_own_clock("local", measured.servers)
    return measured


def put_metrics(result: Result) -> None:
    """Write Healthy (1 or 0) if that is known, the worst host's clock, and the hosts seen.

    Too few hosts are no failure here: the balancer's own alarm counts hosts. Raises what boto3
    raises.
    """
    values: dict[str, float] = {}
    if result.verdict.status != "Unknown":
        values["Healthy"] = 1.0 if result.verdict.status == "OK" else 0.0
    if worst := result.verdict.worst:
        values |= {"ClockOffset": worst.error.middle, "ClockBound": worst.error.half_width}
        values["InstancesSeen"] = result.coverage.seen
    if not values:
        return
    dimensions = [{"Name": "Deployment", "Value": os.environ["DEPLOYMENT"]}]
    data = [
        {"MetricName": name, "Value": value, "Unit": METRICS[name], "Dimensions": dimensions}
        for name, value in values.items()
    ]
    # Lambda's runtime brings boto3, and nothing else here needs it.
    import boto3
    from botocore.config import Config

    # By default boto3 waits for longer than the function may run.
    config = Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 2})
    boto3.client("cloudwatch", config=config).put_metric_data(
        Namespace=os.environ["METRIC_NAMESPACE"], MetricData=data
    )
