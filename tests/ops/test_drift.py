"""What is changed by hand is told, each change; and what is as it should be is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from deployment.errors import UserError
from deployment.ownership import Deployment
from deployment.template import Template
from ops.drift import __main__ as drift
from ops.drift import declared
from ops.drift.compare import NOTHING, Difference, differences
from ops.drift.emulator import excused
from ops.drift.findings import GONE, Drift, Findings
from ops.drift.stacks import Stack
from ops.target import Target, local_target
from tests.support.deployed import api
from tests.support.templates import TEMPLATES

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with api(tmp_path_factory.mktemp("drift")) as url:
        yield url


class Deployed:
    """By part and logical id, the physical ids."""

    def __init__(self, url: str) -> None:
        self.client = local_target(url).client
        self.ids: dict[str, str] = {}
        cloudformation = self.client("cloudformation")
        for stack in cloudformation.describe_stacks()["Stacks"]:
            found = cloudformation.describe_stack_resources(StackName=stack["StackName"])
            for one in found["StackResources"]:
                part = stack["StackName"].split("-")[2]
                self.ids[f"{part}.{one['LogicalResourceId']}"] = one["PhysicalResourceId"]

    def __getitem__(self, name: str) -> str:
        return self.ids[name]


REVIEWER = {"reviewer": "user"}  # the settings that it is deployed with


def rule(cidr: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": cidr, **more}]}
    ]


def change_by_hand(there: Deployed) -> set[tuple[str, str]]:
    """Change much; returns what of it shall be told: logical id and property, or "" for what is deleted."""
    ec2, elb, iam, s3 = (there.client(one) for one in ("ec2", "elbv2", "iam", "s3"))
    # A rule too many, one too few, and one that says something else.
    hosts, balancer = there["network.HostSecurityGroup"], there["network.BalancerSecurityGroup"]
    ec2.authorize_security_group_ingress(GroupId=hosts, IpPermissions=rule("10.0.0.0/8"))
    ec2.revoke_security_group_egress(GroupId=balancer, IpPermissions=rule("10.42.11.0/24"))
    ec2.revoke_security_group_ingress(GroupId=balancer, IpPermissions=rule("0.0.0.0/0"))
    ec2.authorize_security_group_ingress(
        GroupId=balancer, IpPermissions=rule("0.0.0.0/0", Description="open")
    )
    # A way out of the private subnets; a public subnet that gives addresses; one more.
    private, gateway = there["network.PrivateRouteTable"], there["network.InternetGateway"]
    ec2.create_route(RouteTableId=private, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.modify_subnet_attribute(
        SubnetId=there["network.PublicSubnetA"], MapPublicIpOnLaunch={"Value": True}
    )
    ec2.create_subnet(VpcId=there["network.Vpc"], CidrBlock="10.42.99.0/24")
    # Another door, another answer at this one, a path more, another time-out.
    answer = [
        {
            "Type": "fixed-response",
            "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain"},
        }
    ]
    elb.create_listener(
        LoadBalancerArn=there["balancer.LoadBalancer"],
        Port=8080,
        Protocol="HTTP",
        DefaultActions=answer,
    )
    elb.modify_listener(ListenerArn=there["balancer.Listener"], DefaultActions=answer)
    paths = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/", "/now", "/health"]}}]
    elb.modify_rule(RuleArn=there["balancer.ServiceRule"], Conditions=paths)
    elb.modify_target_group(TargetGroupArn=there["balancer.TargetGroup"], HealthCheckPath="/")
    idle = [{"Key": "idle_timeout.timeout_seconds", "Value": "4000"}]
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=there["balancer.LoadBalancer"], Attributes=idle
    )
    # What a host and a function may do, and who may call the function.
    everything = {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(
        RoleName=there["hosts.HostRole"],
        PolicyName="read-image",
        PolicyDocument=json.dumps(everything),
    )
    iam.attach_role_policy(
        RoleName=there["healthcheck.FunctionRole"], PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )  # fmt: skip
    iam.attach_user_policy(
        UserName=there["reviewer.User"], PolicyArn="arn:aws:iam::aws:policy/IAMFullAccess"
    )
    iam.create_policy_version(
        PolicyArn=there["reviewer.Access"], PolicyDocument=json.dumps(everything), SetAsDefault=True
    )
    there.client("lambda").add_permission(
        FunctionName=there["healthcheck.Function"], StatementId="all", Action="lambda:InvokeFunction", Principal="*"
    )  # fmt: skip
    there.client("lambda").update_function_configuration(
        FunctionName=there["healthcheck.Function"], Timeout=3
    )
    # The bucket, open; its policy, gone.
    bucket = there["artifacts.Bucket"]
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": False}
    )
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_bucket_policy(Bucket=bucket)
    # Nobody would hear.
    there.client("cloudwatch").delete_alarms(AlarmNames=[there["balancer.TargetErrorsAlarm"]])
    there.client("cloudwatch").disable_alarm_actions(AlarmNames=[there["healthcheck.Alarm"]])
    there.client("events").disable_rule(Name=there["healthcheck.Schedule"])
    there.client("logs").put_retention_policy(
        logGroupName=there["healthcheck.LogGroup"], retentionInDays=1
    )
    # More hosts than there may be.
    there.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=there["hosts.HostGroup"], MaxSize=50
    )
    return {
        ("HostSecurityGroup", "SecurityGroupIngress"),
        ("BalancerSecurityGroup", "SecurityGroupEgress"),
        ("BalancerSecurityGroup", "SecurityGroupIngress"),
        ("PrivateRouteTable", "(Routes)"),
        ("PublicSubnetA", "MapPublicIpOnLaunch"),
        ("Vpc", "(Subnets)"),
        ("LoadBalancer", "(Listeners)"),
        ("Listener", "DefaultActions"),
        ("ServiceRule", "Conditions"),
        ("TargetGroup", "HealthCheckPath"),
        ("LoadBalancer", "LoadBalancerAttributes"),
        ("HostRole", "Policies"),
        ("FunctionRole", "ManagedPolicyArns"),
        ("User", "ManagedPolicyArns"),
        ("Access", "PolicyDocument"),
        ("Function", "(Permissions)"),
        ("Function", "Timeout"),
        ("Bucket", "PublicAccessBlockConfiguration"),
        ("Bucket", "VersioningConfiguration"),
        ("BucketPolicy", ""),
        ("TargetErrorsAlarm", ""),
        ("Alarm", "ActionsEnabled"),
        ("Schedule", "State"),
        ("LogGroup", "RetentionInDays"),
        ("HostGroup", "MaxSize"),
    }  # fmt: skip


# What the emulator does not keep or tell; everything else is compared.
NOT_CHECKED_HERE = [
    "Bucket LifecycleConfiguration/Rules, which the emulator does not keep",
    "Function Code, which the API does not tell",
    "FunctionInvokeConfig, which the emulator does not keep",
    "HostGroup TargetGroupARNs, which the API does not tell",
    "LaunchTemplate LaunchTemplateData/CreditSpecification, which the emulator does not keep",
    "LaunchTemplate LaunchTemplateData/NetworkInterfaces/DeleteOnTermination, which the emulator does not keep",
    "S3Endpoint PolicyDocument, which the API does not tell",
]


def test_a_deployment_as_it_was_made_has_no_drift_and_each_change_by_hand_is_told(url: str) -> None:
    there, where = Deployed(url), local_target(url)
    pristine = drift.look(where, "local", REVIEWER)
    assert pristine.drifts == []
    assert sorted(one.split(": ")[1] for one in pristine.unchecked) == NOT_CHECKED_HERE
    # What the policy would do, and what somebody else does beside.
    there.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=there["hosts.HostGroup"], DesiredCapacity=2
    )
    there.client("s3").put_object(Bucket=there["artifacts.Bucket"], Key="notes", Body=b"")
    there.client("ec2").create_vpc(CidrBlock="10.77.0.0/16")
    assert drift.look(where, "local", REVIEWER).drifts == []
    changed = change_by_hand(there)
    found = drift.look(where, "local", REVIEWER)
    assert {(one.logical_id, one.top) for one in found.drifts} == changed
    stacks = {one.logical_id: one.stack for one in found.drifts}
    assert stacks["HostSecurityGroup"] == "timeservice-local-network"
    told = {(one.logical_id, one.difference.path): one.difference for one in found.drifts}
    assert told["Function", "/Timeout"][1:] == ("30", "3")
    described = told["BalancerSecurityGroup", "/SecurityGroupIngress/Description"]
    assert described.actual == "open"
    assert described.expected.startswith("The service, for everyone")


STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "a"}
HTTP = {"IpProtocol": "tcp", "FromPort": 80, "CidrIp": "0.0.0.0/0"}


@pytest.mark.parametrize(
    ("expected", "actual", "told"),
    [
        ({"Port": 80}, {"Port": "80", "State": "active"}, []),
        ({"On": True}, {"On": "true"}, []),
        ({"Threshold": "0"}, {"Threshold": 0.0}, []),
        ({"Port": 80}, {"Port": 81}, [("/Port", 80, 81)]),
        ({"On": True}, {"On": False}, [("/On", True, False)]),
        ({"Port": 80}, {}, [("/Port", 80, NOTHING)]),
        ({"Subnets": ["a", "b"]}, {"Subnets": ["b", "a"]}, []),
        ({"Subnets": ["a", "b"]}, {"Subnets": ["a"]}, [("/Subnets", "b", NOTHING)]),
        ({"Subnets": ["a"]}, {"Subnets": ["a", "a"]}, [("/Subnets", NOTHING, "a")]),
        ({"In": [HTTP]}, {"In": [HTTP | {"FromPort": 81}]}, [("/In/FromPort", 80, 81)]),
        ({"In": []}, {"In": [HTTP]}, [("/In", NOTHING, HTTP)]),
        ({"Policies": []}, {"Policies": ["x", "y"]}, [("/Policies", NOTHING, "x"), ("/Policies", NOTHING, "y")]),
        # A document says all: nothing may be added to it either, such as a condition that takes a Deny away.
        (
            {"PolicyDocument": {"Statement": [STATEMENT]}},
            {"PolicyDocument": {"Statement": [STATEMENT | {"Condition": {}}]}},
            [("/PolicyDocument/Statement/Condition", NOTHING, {})],
        ),
        (
            {"PolicyDocument": {"Statement": [STATEMENT]}},
            {"PolicyDocument": {"Statement": [STATEMENT | {"Action": ["s3:GetObject"]}]}},
            [],
        ),
    ],
)  # fmt: skip
def test_what_counts_as_a_difference(
    expected: dict[str, Any], actual: dict[str, Any], told: list[tuple[str, Any, Any]]
) -> None:
    assert [tuple(one) for one in differences(expected, actual)] == told


def stack(part: str, text: str = "", **parameters: str) -> Stack:
    """A deployed one, of this clone's template or of another text."""
    template = Template(text or TEMPLATES[part].body)
    given = {name: one.get("Default", "") for name, one in template.parameters.items()}
    values = {name: str(value) for name, value in (given | parameters).items()}
    return Stack(f"timeservice-prod-{part}", "CREATE_COMPLETE", template, values, {}, {}, {}, {})


ARTIFACTS = TEMPLATES["artifacts"].body


def program(part: str, **parameters: str) -> declared.Inputs:
    required = {
        name: "" for name, one in TEMPLATES[part].parameters.items() if "Default" not in one
    }
    return {part: {"name": f"timeservice-prod-{part}", "parameters": required | parameters}}


@pytest.mark.parametrize(
    ("present", "inputs", "told"),
    [
        ([stack("healthcheck", Limit="1")], program("healthcheck", Limit="1"), []),
        ([stack("healthcheck", Limit="9")], program("healthcheck", Limit="1"), [("/(parameter)/Limit", "1", "9")]),
        ([stack("hosts", Release="old")], program("hosts", Release="new"), []),
        ([stack("hosts", ImageKey="old")], program("hosts", ImageKey="new"), [("/(parameter)/ImageKey", "new", "old")]),
        ([stack("hosts", ImageId="ami-2")], program("hosts"), []),  # Amazon's newest when it was made
        ([stack("artifacts")], {}, []),
        ([], program("artifacts"), [("", "deployed", "not there")]),
        ([stack("hosts")] * 2, program("hosts"), [("/(stacks)", "one", "2: a release is being made, or was cut off")]),
        (
            [stack("artifacts", ARTIFACTS.replace("BlockPublicAcls: true", "BlockPublicAcls: false"))],
            {},
            [("/(template)/Resources/Bucket/Properties/PublicAccessBlockConfiguration/BlockPublicAcls", True, False)],
        ),
        (
            [stack("artifacts", ARTIFACTS + "  More:\n    Value: x\n")],
            {},
            [("/(template)/Outputs/More", NOTHING, {"Value": "x"})],
        ),
    ],
)  # fmt: skip
def test_templates_and_parameters_are_compared_with_those_of_this_clone(
    present: list[Stack], inputs: declared.Inputs, told: list[tuple[str, Any, Any]]
) -> None:
    found = declared.compared(Deployment("timeservice-prod"), present, inputs)
    assert [tuple(one.difference) for one in found] == told


@pytest.mark.parametrize(
    ("kind", "difference", "is_excused"),
    [
        ("AWS::S3::Bucket", Difference("/LifecycleConfiguration/Rules", {}, NOTHING), True),
        ("AWS::S3::Bucket", Difference("/LifecycleConfiguration/Rules", NOTHING, {}), False),
        ("AWS::S3::Bucket", Difference("/BucketEncryption", {}, NOTHING), False),
        ("AWS::S3::Bucket", GONE, False),
        ("AWS::Lambda::EventInvokeConfig", GONE, True),
        ("AWS::EC2::Route", GONE, False),
    ],
)
def test_the_emulator_is_excused_for_what_it_does_not_keep_alone(
    kind: str, difference: Difference, is_excused: bool
) -> None:
    assert excused(Drift("stack", "X", difference), kind) is is_excused


A_DRIFT = Drift(
    "timeservice-prod-network", "Vpc", Difference("/CidrBlock", "10.42.0.0/16", "10.0.0.0/8")
)


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        (Findings([], []), 0, "No differences."),
        (Findings([], ["Function Code"]), 0, "not checked: Function Code"),
        (Findings([A_DRIFT], []), 1, "-network Vpc CidrBlock\n    should be  10.42.0.0/16\n    is         10.0"),
        (UserError("nothing of it is deployed"), 3, "error: nothing of it is deployed"),
        (NoCredentialsError(), 3, "error: the deployment cannot be asked: Unable to locate credentials"),
    ],
)  # fmt: skip
def test_the_exit_code_says_what_the_words_say(
    found: Findings | Exception,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def look(*_: Any) -> Findings:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(drift, "target", lambda _: Target("timeservice-prod", "eu-west-1", print))
    monkeypatch.setattr(drift, "look", look)
    assert drift.main(["--stack", "prod"]) == status
    told = capsys.readouterr()
    assert words in told.out + told.err


def test_where_nothing_is_deployed_there_is_nothing_to_compare(url: str) -> None:
    with pytest.raises(UserError, match="nothing of timeservice-loc is deployed in us-east-1"):
        drift.look(local_target(url, "timeservice-loc"), "local", REVIEWER)
