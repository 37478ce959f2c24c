"""The dashboard draws what is published, logged and declared, and its widgets have room."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from healthcheck import reference
from healthcheck.check import check
from healthcheck.formats import json as json_form
from healthcheck.handler import METRICS
from tests.support.evaluator import DeployedTemplate
from tests.support.healthcheck_servers import rfc3339, web
from tests.support.templates import RESOURCES, TEMPLATES, of_type

SCHEMA = json.loads((Path(__file__).parents[2] / "healthcheck" / "schema.json").read_text())

ARN = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:"
BALANCER, GROUP = "app/t-balancer/0123456789abcdef", "targetgroup/t-hosts/0123456789abcdef"
LOG_GROUP, STACK = "t-healthcheck-LogGroup-1", "t-healthcheck"
# Metrics of an application balancer about these hosts, by dimensions, from CloudWatch's list.
BALANCER_METRICS = {
    ("LoadBalancer",): {
        *("ActiveConnectionCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count"),
        *("NewConnectionCount", "RejectedConnectionCount", "RequestCount"),
        *("TargetConnectionErrorCount", "TargetResponseTime"),
    },
    ("LoadBalancer", "TargetGroup"): {"HealthyHostCount", "UnHealthyHostCount"},
}
# The fields of a query that CloudWatch adds to each record.
MADE = {"@message", "@timestamp"}


def body(minutes: str = "1", limit: str = "1") -> dict[str, Any]:
    alarms = DeployedTemplate("balancer").evaluate(TEMPLATES["balancer"].outputs["Alarms"]["Value"])
    properties = DeployedTemplate(
        "healthcheck",
        LoadBalancer=BALANCER,
        TargetGroup=f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:{GROUP}",
        Alarms=alarms,
        EveryMinutes=minutes,
        Limit=limit,
    ).get_properties("Dashboard")
    content: dict[str, Any] = json.loads(properties["DashboardBody"])
    return content


def widgets(kind: str) -> list[dict[str, Any]]:
    return [widget["properties"] for widget in body()["widgets"] if widget["type"] == kind]


def metrics() -> list[tuple[str, str, dict[str, str]]]:
    """Return namespace, name and dimensions of each metric, short forms (., ...) written out."""
    rows = []
    for widget in widgets("metric"):
        before: list[str] = []
        for metric in widget["metrics"]:
            words = [word for word in metric if isinstance(word, str)]
            if not words:
                continue  # an expression
            if words[0] == "...":
                words = before
            words = [
                old if new == "." else new
                for old, new in itertools.zip_longest(before, words)
                if new is not None
            ]
            before = words
            rows.append((words[0], words[1], dict(zip(words[2::2], words[3::2], strict=True))))
    return rows


def queries() -> dict[str, str]:
    return {widget["title"]: widget["query"] for widget in widgets("log")}


def test_there_is_one_dashboard_for_all() -> None:
    assert list(of_type("CloudWatch::Dashboard")) == ["healthcheck.Dashboard"]


def test_widgets_fill_the_grid_and_cover_none_of_each_other() -> None:
    covered = [
        (column, row)
        for widget in body()["widgets"]
        for column in range(widget["x"], widget["x"] + widget["width"])
        for row in range(widget["y"], widget["y"] + widget["height"])
    ]
    rows = max(row for _, row in covered) + 1
    assert sorted(covered) == sorted(itertools.product(range(24), range(rows)))


def test_all_alarms_of_the_templates_are_on_it_and_no_other() -> None:
    (shown,) = widgets("alarm")
    assert sorted(shown["alarms"]) == sorted(
        f"{ARN}t-{part}-{alarm}-1"
        for part, alarm in (name.split(".") for name in of_type("CloudWatch::Alarm"))
    )


def test_the_metrics_are_published_by_the_balancer_or_by_the_healthcheck() -> None:
    drawn = metrics()
    assert len(drawn) <= 50  # the limit of a free dashboard
    for namespace, name, dimensions in drawn:
        if namespace == "AWS/ApplicationELB":
            assert name in BALANCER_METRICS[tuple(sorted(dimensions))], name
            assert {"LoadBalancer": BALANCER, "TargetGroup": GROUP}.items() >= dimensions.items()
        else:
            (function,) = of_type("Lambda::Function").values()
            assert namespace == function["Environment"]["Variables"]["METRIC_NAMESPACE"]
            assert name in METRICS
            assert dimensions == {"Deployment": STACK}


def test_what_alarms_look_at_is_drawn_or_is_the_verdict_itself() -> None:
    watched = {alarm["MetricName"] for alarm in of_type("CloudWatch::Alarm").values()}
    assert watched - {name for _, name, _ in metrics()} == {"Healthy"}


@pytest.mark.parametrize("title", ["Requests and errors", "Latency (s)", "Hosts"])
def test_it_answers_the_first_questions(title: str) -> None:
    assert [widget for widget in widgets("metric") if widget["title"] == title]


def test_latency_is_told_as_median_and_as_the_worst_in_a_hundred() -> None:
    (latency,) = (widget for widget in widgets("metric") if widget["title"].startswith("Latency"))
    assert [metric[-1]["stat"] for metric in latency["metrics"]] == ["p50", "p99"]


@pytest.mark.parametrize("minutes", ["1", "5", "15"])
def test_the_offset_is_drawn_with_its_bound_and_the_limit(minutes: str) -> None:
    (clock,) = (
        widget["properties"]
        for widget in body(minutes, limit="0.5")["widgets"]
        if "ClockOffset" in json.dumps(widget)
    )
    assert clock["period"] == 60 * int(minutes)
    drawn = {metric[0]["expression"] for metric in clock["metrics"] if isinstance(metric[0], dict)}
    assert drawn == {"offset + bound", "offset - bound"}
    assert [line["value"] for line in clock["annotations"]["horizontal"]] == [0.5, -0.5]


@pytest.mark.parametrize("title", queries())
def test_a_query_reads_the_functions_own_log_and_names_fields_that_are_in_it(title: str) -> None:
    """A name in a query is a field of the record or of its instances, except after `as` and in
    quotes."""
    query = queries()[title]
    source, rest = query.split(" | ", 1)
    assert source == f"SOURCE '{LOG_GROUP}'"
    names = set(re.findall(r"\b(?:as|into) (\w+)", rest)) | MADE
    rest = re.sub(r"'[^']*'|/[^/]*/", "", rest)
    words = set(re.findall(r"[@\w.]+(?![\w(])", rest)) - names
    keywords = {
        *(
            "as",
            "asc",
            "by",
            "desc",
            "display",
            "fields",
            "filter",
            "in",
            "into",
            "like",
            "limit",
            "or",
        ),
        *("sort", "stats", "unnest"),
    }
    named = {word for word in words - keywords if not re.fullmatch(r"\d+[mh]?", word)}
    record = SCHEMA["properties"]
    instance = {f"host.{key}" for key in record["instances"]["items"]["properties"]}
    assert named <= {*record, *instance, "verdict.instances"}, named


@pytest.mark.parametrize(
    ("fields", "release"), [({"version": "6a936518f99b"}, "6a936518f99b"), ({}, "?")]
)
def test_a_record_says_the_release_of_each_host_if_the_host_does(
    fields: dict[str, str], release: str
) -> None:
    with web(
        lambda request: request.answer({"now": rfc3339(), "instance": "i-1"} | fields)
    ) as service:
        result = check(
            service.url, ask_reference=lambda patience: reference.use_own_clock("chosen")
        )
    record = json.loads(json_form.render(result))
    jsonschema.validate(record, SCHEMA)
    assert [(each["instance"], each["version"]) for each in record["instances"]] == [
        ("i-1", release)
    ]


def test_a_query_that_groups_by_a_host_too_is_drawn_as_bars() -> None:
    """CloudWatch draws lines only for a query that groups by bin() alone."""
    grouped = [widget for widget in widgets("log") if "by bin(" in widget["query"]]
    assert [widget["view"] for widget in grouped] == ["bar", "bar"]
    assert all(", host." in widget["query"] for widget in grouped)


def test_the_reviewer_may_open_it_and_run_its_queries() -> None:
    statements = RESOURCES["reviewer.Access"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = {
        action
        for statement in statements
        if statement.get("Effect") == "Allow"
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    assert allowed >= {
        *("cloudwatch:GetDashboard", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"),
        *("logs:StartQuery", "logs:GetQueryResults"),
    }
