"""What the healthcheck, its log, alarms, dashboards and notifications are charged for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from healthcheck.handler import METRICS
from ops.cost.charge import Charge, require
from ops.cost.pricelist import HOURS
from ops.cost.resources import Resource, Resources
from ops.cost.usage import LOGGED, Usage

SHOWN = 180  # minutes that a dashboard shows, unless somebody chooses others
MINUTES = {"minute": 1, "hour": 60, "day": 1_440}


def alarm(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    """Of one metric, as alarms with an expression of several (Metrics) are not known."""
    standard = int(one.properties["Period"]) >= 60
    kind = "AlarmMonitorUsage" if standard else "HighResAlarmMonitorUsage"
    yield Charge("alarms", f"AmazonCloudWatch/CW:{kind}", 1)


def dashboard(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    """And what a look at it reads of the log: each widget that queries it reads all of the time that it shows."""
    yield Charge("dashboards", "AmazonCloudWatch/DashboardsUsageHour", 1)
    if queries := str(one.properties["DashboardBody"]).count('"type": "log"'):
        shown = sum(SHOWN / every_minutes(rule) for rule in all_of.of_type("AWS::Events::Rule"))
        scanned = usage.looks * queries * shown * LOGGED / 1e9
        yield Charge("its queries", "AmazonCloudWatch/DataScanned-Bytes", scanned)


def function(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    """The healthcheck: its runs and its metrics, each with one set of dimensions."""
    properties = one.properties
    handler, kinds = properties["Handler"], properties.get("Architectures", ["x86_64"])
    require(handler == "healthcheck.handler.handler", one, f"runs {handler}")
    require(kinds == ["x86_64"], one, f"runs on {', '.join(kinds)}")
    runs = checks(one, all_of)
    time = runs * usage.check_seconds * int(properties["MemorySize"]) / 1024
    yield Charge("healthcheck, runs", "AWSLambda/Request", runs)
    yield Charge("healthcheck, memory x time", "AWSLambda/Lambda-GB-Second", time)
    yield Charge("its metrics", "AmazonCloudWatch/CW:MetricMonitorUsage", len(METRICS))
    yield Charge("its calls of CloudWatch", "AmazonCloudWatch/CW:Requests", runs)


def log_group(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    require("RetentionInDays" in one.properties, one, "keeps its log for ever")
    writers = [
        each
        for each in all_of.of_type("AWS::Lambda::Function")
        if each.properties.get("LoggingConfig", {}).get("LogGroup") == one.name
    ]
    require(len(writers) == 1, one, f"is written by {len(writers)} functions of these templates")
    written = checks(writers[0], all_of) * LOGGED / 1e9
    kept = written * int(one.properties["RetentionInDays"]) / (HOURS / 24)
    yield Charge("its log, taken in", "AmazonCloudWatch/DataProcessing-Bytes", written)
    yield Charge("its log, kept", "AmazonCloudWatch/TimedStorage-ByteHrs", kept)


def checks(function: Resource, all_of: Resources) -> float:
    """How often in a month the schedules run the function."""
    each = sum(
        1 / every_minutes(rule)
        for rule in all_of.of_type("AWS::Events::Rule")
        for target in rule.properties["Targets"]
        if target["Arn"] == f"{function.name}.Arn"
    )
    require(each > 0, function, "is run by no schedule of these templates")
    return each * HOURS * 60


def every_minutes(rule: Resource) -> int:
    expression = str(rule.properties.get("ScheduleExpression"))
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    require(rate is not None, rule, f"has the schedule {expression}")
    assert rate is not None  # noqa: S101 - for the type checker
    return int(rate[1]) * MINUTES[rate[2]]


def schedule(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    """EventBridge's schedules are free on the default bus; custom events and other buses are not."""
    every_minutes(one)
    yield from ()


def topic(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    yield Charge("notifications", "AmazonSNS/Requests-Tier1", usage.notifications)


def subscription(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    protocol = one.properties["Protocol"]
    require(protocol == "email", one, f"sends by {protocol}")
    yield Charge("notifications by mail", "AmazonSNS/DeliveryAttempts-SMTP", usage.notifications)
