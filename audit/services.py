"""What the API says of the resources outside of the VPC, in the shape of a template's properties; as in network.py."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from audit.compare import NOTHING
from audit.network import Client, Properties, Reader, gone


def bucket(client: Client, identity: str, _: Properties) -> Properties:
    s3 = client("s3")
    s3.head_bucket(Bucket=identity)

    def told(operation: str) -> Any:
        """{} for what nobody has set."""
        try:
            return getattr(s3, operation)(Bucket=identity)
        except ClientError as refused:
            if gone(refused) or "NotFound" in refused.response["Error"]["Code"]:
                return {}
            raise

    block = told("get_public_access_block").get("PublicAccessBlockConfiguration", {})
    encryption = told("get_bucket_encryption").get("ServerSideEncryptionConfiguration", {})
    defaults = [
        {"ServerSideEncryptionByDefault": one.get("ApplyServerSideEncryptionByDefault")}
        for one in encryption.get("Rules", [])
    ]
    lifecycle = told("get_bucket_lifecycle_configuration").get("Rules", [])
    return {
        "PublicAccessBlockConfiguration": block,
        "BucketEncryption": {"ServerSideEncryptionConfiguration": defaults},
        "OwnershipControls": told("get_bucket_ownership_controls").get("OwnershipControls", {}),
        "LifecycleConfiguration": {"Rules": [{**one, "Id": one.get("ID")} for one in lifecycle]},
        "VersioningConfiguration": {"Status": told("get_bucket_versioning").get("Status", "Off")},
    }


def bucket_policy(client: Client, _: str, expected: Properties) -> Properties:
    policy = client("s3").get_bucket_policy(Bucket=expected["Bucket"])["Policy"]
    return {"Bucket": expected["Bucket"], "PolicyDocument": json.loads(policy)}


def role(client: Client, identity: str, _: Properties) -> Properties:
    iam = client("iam")
    found = iam.get_role(RoleName=identity)["Role"]
    attached = iam.list_attached_role_policies(RoleName=identity)["AttachedPolicies"]
    policies = [
        iam.get_role_policy(RoleName=identity, PolicyName=name)
        for name in iam.list_role_policies(RoleName=identity)["PolicyNames"]
    ]
    return {**found, "Policies": policies, **_limits(found, attached)}


def user(client: Client, identity: str, _: Properties) -> Properties:
    iam = client("iam")
    found = iam.get_user(UserName=identity)["User"]
    attached = iam.list_attached_user_policies(UserName=identity)["AttachedPolicies"]
    policies = iam.list_user_policies(UserName=identity)["PolicyNames"]
    groups = iam.list_groups_for_user(UserName=identity)["Groups"]
    return {
        **found,
        "Policies": policies,
        "Groups": [one["GroupName"] for one in groups],
        **_limits(found, attached),
    }


def _limits(found: Properties, attached: list[Properties]) -> Properties:
    return {
        "ManagedPolicyArns": [one["PolicyArn"] for one in attached],
        "PermissionsBoundary": found.get("PermissionsBoundary", {}).get(
            "PermissionsBoundaryArn", NOTHING
        ),
    }


def managed_policy(client: Client, identity: str, _: Properties) -> Properties:
    """By its version that is in force."""
    iam = client("iam")
    found = iam.get_policy(PolicyArn=identity)["Policy"]
    version = iam.get_policy_version(PolicyArn=identity, VersionId=found["DefaultVersionId"])
    return {**found, "PolicyDocument": version["PolicyVersion"]["Document"]}


def instance_profile(client: Client, identity: str, _: Properties) -> Properties:
    name = identity.rpartition("/")[2]
    found = client("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    return {"Roles": [one["RoleName"] for one in found["Roles"]]}


def group(client: Client, identity: str, _: Properties) -> Properties | None:
    """Without its desired capacity, which is the policy's to say."""
    for found in client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[identity]
    )["AutoScalingGroups"]:
        return {
            **found,
            "VPCZoneIdentifier": found["VPCZoneIdentifier"].split(","),
            "SuspendedProcesses": [
                one["ProcessName"] for one in found.get("SuspendedProcesses", [])
            ],
        }
    return None


def scaling_policy(client: Client, identity: str, expected: Properties) -> Properties | None:
    for found in client("autoscaling").describe_policies(
        AutoScalingGroupName=expected["AutoScalingGroupName"]
    )["ScalingPolicies"]:
        if identity in (found["PolicyARN"], found["PolicyName"]):
            return dict(found)
    return None


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
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": bucket_policy,
    "AWS::IAM::Role": role,
    "AWS::IAM::User": user,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::IAM::InstanceProfile": instance_profile,
    "AWS::AutoScaling::AutoScalingGroup": group,
    "AWS::AutoScaling::ScalingPolicy": scaling_policy,
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
