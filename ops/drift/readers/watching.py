"""The healthcheck's function, its schedule and log; alarms, dashboards and who is told."""

from __future__ import annotations

import json

from botocore.exceptions import ClientError

from ops.drift.readers.reader import Client, Properties, Reader, gone


def topic(client: Client, identity: str, _: Properties) -> Properties:
    return dict(client("sns").get_topic_attributes(TopicArn=identity)["Attributes"])


def topic_policy(client: Client, _: str, expected: Properties) -> Properties:
    (arn,) = expected["Topics"]
    policy = client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]
    return {"Topics": [arn], "PolicyDocument": json.loads(policy)}


def subscription(client: Client, _: str, expected: Properties) -> Properties | None:
    found = client("sns").list_subscriptions_by_topic(TopicArn=expected["TopicArn"])[
        "Subscriptions"
    ]
    return next((one for one in found if one["Endpoint"] == expected["Endpoint"]), None)


def alarm(client: Client, identity: str, _: Properties) -> Properties | None:
    found = client("cloudwatch").describe_alarms(AlarmNames=[identity])["MetricAlarms"]
    return found[0] if found else None


def dashboard(client: Client, identity: str, _: Properties) -> Properties:
    body = client("cloudwatch").get_dashboard(DashboardName=identity)["DashboardBody"]
    return {"DashboardBody": json.loads(body)}


def log_group(client: Client, identity: str, _: Properties) -> Properties | None:
    found = client("logs").describe_log_groups(logGroupNamePrefix=identity)["logGroups"]
    for one in found:
        if one["logGroupName"] == identity:
            return {"RetentionInDays": one.get("retentionInDays", "for ever")}
    return None


def function(client: Client, identity: str, _: Properties) -> Properties:
    found = client("lambda").get_function_configuration(FunctionName=identity)
    return {**found, "(Permissions)": [one["Sid"] for one in _statements(client, identity)]}


def _statements(client: Client, name: str) -> list[Properties]:
    try:
        policy = client("lambda").get_policy(FunctionName=name)["Policy"]
    except ClientError as refused:
        if gone(refused):
            return []
        raise
    statements: list[Properties] = json.loads(policy)["Statement"]
    return statements


def permission(client: Client, identity: str, expected: Properties) -> Properties | None:
    for one in _statements(client, expected["FunctionName"]):
        if one["Sid"] == identity:
            conditions = {
                key.lower(): value
                for each in one.get("Condition", {}).values()
                for key, value in each.items()
            }
            source = {"SourceArn": arn} if (arn := conditions.get("aws:sourcearn")) else {}
            principal = one["Principal"]
            who = principal if isinstance(principal, str) else next(iter(principal.values()))
            return {
                **expected,
                "Action": one["Action"],
                "Principal": who,
                "SourceArn": "any",
                **source,
            }
    return None


def invoke_config(client: Client, _: str, expected: Properties) -> Properties:
    return {
        **client("lambda").get_function_event_invoke_config(FunctionName=expected["FunctionName"]),
        **{key: expected[key] for key in ("FunctionName", "Qualifier")},
    }


def schedule(client: Client, identity: str, _: Properties) -> Properties:
    events, name = client("events"), identity.rpartition("/")[2]
    return {
        **events.describe_rule(Name=name),
        "Targets": events.list_targets_by_rule(Rule=name)["Targets"],
    }


READERS: dict[str, Reader] = {
    "AWS::SNS::Topic": topic,
    "AWS::SNS::TopicPolicy": topic_policy,
    "AWS::SNS::Subscription": subscription,
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::Dashboard": dashboard,
    "AWS::Logs::LogGroup": log_group,
    "AWS::Lambda::Function": function,
    "AWS::Lambda::Permission": permission,
    "AWS::Lambda::EventInvokeConfig": invoke_config,
    "AWS::Events::Rule": schedule,
}
