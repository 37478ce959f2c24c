"""Times, alarms and checks of the templates fit each other, the service and the healthcheck."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.support.templates import (
    RESOURCES,
    TEMPLATES,
    attributes,
    launch_template,
    of_type,
    statements,
    the,
)

ROOT = Path(__file__).parents[2]
SCHEDULES: dict[str, dict[str, Any]] = TEMPLATES["healthcheck"].content["Mappings"]["Schedules"]
MONTH = 44_640  # minutes
RUNBOOK = (ROOT / "docs" / "alarms.md").read_text()
# The names of alarms for people, without CloudFormation's suffix; the healthcheck's is that of its
# stack.
ALARMS = [
    name.split(".")[1].removesuffix("Alarm") or name.split(".")[0]
    for name in of_type("CloudWatch::Alarm")
]


def test_the_release_waits_for_every_host() -> None:
    group, condition = the("AutoScaling::AutoScalingGroup"), the("CloudFormation::WaitCondition")
    assert condition["Count"] == group["MinSize"] == {"Ref": "MinHosts"}
    assert "DesiredCapacity" not in group  # it is then the minimum
    assert RESOURCES["hosts.HostsReady"]["DependsOn"] == "HostGroup"


def test_there_are_never_fewer_than_two_hosts_and_by_default_never_more() -> None:
    assert the("AutoScaling::AutoScalingGroup")["MaxSize"] == {"Ref": "MaxHosts"}
    for key in ("MinHosts", "MaxHosts"):
        assert TEMPLATES["hosts"].parameters[key]["MinValue"] == 2
        assert TEMPLATES["hosts"].default(key) == "2"


def test_a_policy_is_made_only_for_a_group_that_may_grow_and_acts_only_when_it_serves() -> None:
    assert len(of_type("AutoScaling::ScalingPolicy")) == 1
    policy = RESOURCES["hosts.ScalingPolicy"]
    assert policy["Condition"] == "Scales"
    assert TEMPLATES["hosts"].content["Conditions"]["Scales"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "MinHosts"}, {"Ref": "MaxHosts"}]}]
    }
    assert policy["DependsOn"] == "HostsReady"
    assert policy["Properties"]["AutoScalingGroupName"] == {"Ref": "HostGroup"}


def test_the_policy_tracks_the_requests_to_the_group_that_the_hosts_register_with() -> None:
    """The policy does not track CPU, which cannot rise without credits."""
    policy = the("AutoScaling::ScalingPolicy")
    tracking = policy["TargetTrackingConfiguration"]
    assert policy["PolicyType"] == "TargetTrackingScaling"
    metric = tracking["PredefinedMetricSpecification"]
    assert metric["PredefinedMetricType"] == "ALBRequestCountPerTarget"
    group = {"Fn::Select": [5, {"Fn::Split": [":", {"Ref": "TargetGroup"}]}]}
    assert metric["ResourceLabel"] == {"Fn::Sub": ["${LoadBalancer}/${Group}", {"Group": group}]}
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/name/0123456789abcdef"
    assert arn.split(":")[5] == "targetgroup/name/0123456789abcdef"
    assert the("AutoScaling::AutoScalingGroup")["TargetGroupARNs"] == [{"Ref": "TargetGroup"}]
    assert tracking["TargetValue"] == {"Ref": "RequestsPerMinute"}
    assert not tracking.get("DisableScaleIn", False)


def test_the_balancer_gives_its_name_as_the_label_wants_it() -> None:
    output = TEMPLATES["balancer"].outputs["LoadBalancer"]["Value"]
    assert output == {"Fn::GetAtt": "LoadBalancer.LoadBalancerFullName"}
    hosts = TEMPLATES["hosts"]
    assert hosts.find_fault("LoadBalancer", "app/name/0123456789abcdef") is None
    assert hosts.find_fault("LoadBalancer", "loadbalancer/app/name/0123456789abcdef")
    assert hosts.find_fault("LoadBalancer", "net/name/0123456789abcdef")


def test_a_host_that_boots_slowly_is_not_counted_before_it_serves() -> None:
    warm_up = the("AutoScaling::ScalingPolicy")["EstimatedInstanceWarmup"]
    assert 900 <= warm_up <= the("AutoScaling::AutoScalingGroup")["HealthCheckGracePeriod"]


def test_a_slow_boot_is_survived_and_its_end_awaited() -> None:
    group, condition = the("AutoScaling::AutoScalingGroup"), the("CloudFormation::WaitCondition")
    assert group["HealthCheckType"] == "ELB"
    assert group["HealthCheckGracePeriod"] >= int(condition["Timeout"])
    script = launch_template()["UserData"]["Fn::Base64"]["Fn::Sub"]
    waits = [
        int(seconds)
        for groups in re.findall(r"waitsync (\d+)|SECONDS \+ (\d+)", script)
        for seconds in groups
        if seconds
    ]
    assert len(waits) == 2
    assert int(condition["Timeout"]) > 900 + sum(waits)


def test_a_host_is_known_to_the_balancer_before_the_pair_before_it_may_go() -> None:
    target = the("ElasticLoadBalancingV2::TargetGroup")
    script = launch_template()["UserData"]["Fn::Base64"]["Fn::Sub"]
    *_, last = re.findall(r"^sleep (\d+)$", script, re.MULTILINE)
    assert int(last) > target["HealthCheckIntervalSeconds"] * target["HealthyThresholdCount"]
    assert script.index(f"sleep {last}") < script.index("signal SUCCESS")


def test_an_unhealthy_host_alarms_only_after_the_time_that_a_start_may_take() -> None:
    alarm = of_type("CloudWatch::Alarm")["balancer.UnhealthyHostsAlarm"]
    grace = the("AutoScaling::AutoScalingGroup")["HealthCheckGracePeriod"]
    assert alarm["Period"] * alarm["EvaluationPeriods"] >= grace


def test_connections_end_in_the_right_order() -> None:
    """The balancer closes an idle connection first. The service ends first when a host leaves."""
    service = runpy.run_path(str(ROOT / "service/gunicorn.conf.py"))
    balancer = attributes(the("ElasticLoadBalancingV2::LoadBalancer"))
    target = attributes(the("ElasticLoadBalancingV2::TargetGroup"))
    assert service["keepalive"] > int(balancer["idle_timeout.timeout_seconds"])
    assert service["graceful_timeout"] < int(target["deregistration_delay.timeout_seconds"])


def test_hosts_are_judged_by_their_health_and_not_by_being_there() -> None:
    target = the("ElasticLoadBalancingV2::TargetGroup")
    assert target["HealthCheckPath"] == "/health"
    assert target["Matcher"] == {"HttpCode": "200"}
    assert target["HealthCheckTimeoutSeconds"] < target["HealthCheckIntervalSeconds"]


def test_every_alarm_tells_somebody_and_decides_what_silence_means() -> None:
    silence = {}
    for name, alarm in of_type("CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlertTopic"}], name
        assert alarm["AlarmDescription"], name
        silence[name] = alarm["TreatMissingData"]
    assert silence == {
        "balancer.HealthyHostsTooFewAlarm": "breaching",
        "balancer.UnhealthyHostsAlarm": "notBreaching",
        "balancer.TargetErrorsAlarm": "notBreaching",
        "balancer.BalancerErrorsAlarm": "notBreaching",
        "healthcheck.Alarm": "breaching",
    }


SCHEDULE_SECONDS = {"Fn::FindInMap": ["Schedules", {"Ref": "EveryMinutes"}, "Seconds"]}
ALARM_RULES = {
    # name: (metric, statistic, period in s, periods, comparison, threshold)
    "balancer.HealthyHostsTooFewAlarm": (
        *("HealthyHostCount", "Maximum", 60, 5),
        *("LessThanThreshold", {"Ref": "MinHosts"}),
    ),
    "balancer.UnhealthyHostsAlarm": (
        *("UnHealthyHostCount", "Minimum", 60, 35, "GreaterThanThreshold", 0),
    ),
    "balancer.TargetErrorsAlarm": (
        *("HTTPCode_Target_5XX_Count", "Sum", 60, 2, "GreaterThanThreshold", 0),
    ),
    "balancer.BalancerErrorsAlarm": (
        *("HTTPCode_ELB_5XX_Count", "Sum", 60, 2, "GreaterThanThreshold", 0),
    ),
    "healthcheck.Alarm": (*("Healthy", "Minimum", SCHEDULE_SECONDS, 2, "LessThanThreshold", 1),),
}


def test_each_alarm_fires_by_its_rule() -> None:
    rules = {
        name: (
            alarm["MetricName"],
            alarm["Statistic"],
            alarm["Period"],
            alarm["EvaluationPeriods"],
            alarm["ComparisonOperator"],
            alarm["Threshold"],
        )
        for name, alarm in of_type("CloudWatch::Alarm").items()
    }
    assert rules == ALARM_RULES


def test_alarms_are_mailed_if_there_is_an_address() -> None:
    assert RESOURCES["balancer.AlertSubscription"]["Condition"] == "HasAlertEmail"
    assert the("SNS::Subscription") == {
        "TopicArn": {"Ref": "AlertTopic"},
        "Protocol": "email",
        "Endpoint": {"Ref": "AlertEmail"},
    }
    has_address = TEMPLATES["balancer"].content["Conditions"]["HasAlertEmail"]
    assert has_address == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlertEmail"}, ""]}]}


def test_too_few_hosts_is_fewer_than_there_should_be() -> None:
    alarm = of_type("CloudWatch::Alarm")["balancer.HealthyHostsTooFewAlarm"]
    assert alarm["ComparisonOperator"] == "LessThanThreshold"
    assert alarm["Threshold"] == the("AutoScaling::AutoScalingGroup")["MinSize"]
    balancer, hosts = (
        {**TEMPLATES[part].parameters["MinHosts"], "Description": ""}
        for part in ("balancer", "hosts")
    )
    assert balancer == hosts  # one setting feeds both


def test_the_check_writes_the_metric_that_its_alarm_reads() -> None:
    alarm = of_type("CloudWatch::Alarm")["healthcheck.Alarm"]
    variables = the("Lambda::Function")["Environment"]["Variables"]
    (allowed,) = (
        statement
        for name, statement in statements()
        if (name, statement["Action"]) == ("healthcheck.FunctionRole", "cloudwatch:PutMetricData")
    )
    (bound,) = (
        statement
        for name, statement in statements()
        if (name, statement["Action"]) == ("deployer.Boundary", "cloudwatch:PutMetricData")
    )
    assert bound["Condition"] == allowed["Condition"]
    assert (
        alarm["Namespace"]
        == variables["METRIC_NAMESPACE"]
        == allowed["Condition"]["StringEquals"]["cloudwatch:namespace"]
    )
    assert alarm["Dimensions"] == [{"Name": "Deployment", "Value": variables["DEPLOYMENT"]}]


def test_a_month_of_checks_is_free_even_if_each_took_all_its_time() -> None:
    """The documentation has the same sum."""
    function = the("Lambda::Function")
    gigabytes, timeout = function["MemorySize"] / 1024, function["Timeout"]
    sums = {  # what -> (used, free)
        "Lambda: runs": (MONTH, 1_000_000),
        "Lambda: GB-s, at a second for each run": (MONTH * gigabytes, 400_000),
        f"Lambda: GB-s, if each took its {timeout} s": (MONTH * gigabytes * timeout, 400_000),
        "CloudWatch: requests": (MONTH, 1_000_000),
        "CloudWatch: metrics of our own": (4, 10),
        "CloudWatch: dashboards": (len(of_type("CloudWatch::Dashboard")), 3),
        "CloudWatch: logs, at 2,000 bytes for each run (GB)": (MONTH * 2_000 / 1e9, 5),
    }
    document = (ROOT / "docs" / "healthcheck.md").read_text()
    for what, (used, free) in sums.items():
        assert used <= free
        figure = f"{used:,.2f}" if used < 1 else f"{used:,.0f}"
        assert f"| {what} | {figure} | {free:,} |" in document


def test_the_function_is_run_by_its_own_rule_and_not_again() -> None:
    rule, permission = the("Events::Rule"), the("Lambda::Permission")
    rate = {"Fn::FindInMap": ["Schedules", {"Ref": "EveryMinutes"}, "Rate"]}
    assert (rule["ScheduleExpression"], rule["State"]) == (rate, "ENABLED")
    assert TEMPLATES["healthcheck"].default("EveryMinutes") == "1"
    once = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    (target,) = rule["Targets"]
    assert (target["Arn"], target["RetryPolicy"]) == ({"Fn::GetAtt": "Function.Arn"}, once)
    assert the("Lambda::EventInvokeConfig").items() >= once.items()
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::GetAtt": "Schedule.Arn"}


def test_the_function_has_the_settings_of_its_check() -> None:
    function = the("Lambda::Function")
    assert (function["Timeout"], function["MemorySize"]) == (30, 256)
    assert function["Environment"]["Variables"] == {
        "TIMESERVICE_URL": {"Ref": "Url"},
        "METRIC_NAMESPACE": "timeservice",
        "DEPLOYMENT": {"Ref": "AWS::StackName"},
        "HEALTHCHECK_LIMIT": {"Ref": "Limit"},
        "HEALTHCHECK_INSTANCES": {"Ref": "MinHosts"},
        "HEALTHCHECK_NTP": {"Ref": "NtpServers"},
    }


def test_each_schedule_s_alarm_counts_as_its_rule_does() -> None:
    assert set(SCHEDULES) == {
        str(minutes)
        for minutes in TEMPLATES["healthcheck"].parameters["EveryMinutes"]["AllowedValues"]
    }
    for minutes, schedule in SCHEDULES.items():
        unit = "minute" if minutes == "1" else "minutes"
        assert schedule == {"Rate": f"rate({minutes} {unit})", "Seconds": 60 * int(minutes)}


def test_the_function_s_handler_exists() -> None:
    module, function = the("Lambda::Function")["Handler"].rsplit(".", 1)
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
    assert f"def {function}(" in source


def section(title: str) -> str:
    """Return the section of docs/alarms.md with that heading."""
    match = re.search(rf"^### {title}\n(.+?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert match, f"docs/alarms.md has no section ### {title}"
    return match[1]


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_has_its_runbook(name: str) -> None:
    rows = dict(re.findall(r"^\| ([\w ]+) \| (.+) \|$", section(name), re.MULTILINE))
    assert list(rows) == ["means", "who notices", "look at", "do", "ends", "drill"]
    played = (ROOT / "docs" / "drills.md").read_text()
    for drill in (
        [] if rows["drill"].startswith("none: ") else re.findall(r"`(.+?)`", rows["drill"])
    ):
        # The alarms stand before the verdict.
        assert re.search(rf"^\| {drill} \| .*\b{name}\b[^|]*\| held", played, re.MULTILINE), drill


def test_each_runbook_has_its_alarm() -> None:
    assert re.findall(r"^### (.+)$", RUNBOOK, re.MULTILINE) == ALARMS


def test_every_log_ends_some_day_and_belongs_to_its_stack() -> None:
    assert all(group["RetentionInDays"] <= 30 for group in of_type("Logs::LogGroup").values())
    assert the("Lambda::Function")["LoggingConfig"] == {"LogGroup": {"Ref": "LogGroup"}}
