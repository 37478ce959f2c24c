"""Leftovers of a deployment are found by tag, stack, name and VPC, with operations that AWS has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jmespath
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError

from deployment.leftovers import Findings, Kind, find_leftovers, read_kinds
from local.api import client

KINDS = [kind for kind in read_kinds() if kind.operation]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
def test_each_kind_is_listed_by_an_operation_of_boto3(kind: Kind) -> None:
    api = client("http://nowhere.invalid", kind.service)
    assert kind.operation in api.meta.method_to_api_mapping
    assert kind.items
    assert kind.id
    assert kind.name


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.remove], ids=lambda kind: kind.type
)
def test_each_removal_is_a_command_that_takes_the_id_last(kind: Kind) -> None:
    service, command, *options = kind.remove.split()
    api = client("http://nowhere.invalid", kind.service)
    assert service == kind.service.replace("s3", "s3api")
    operation = api.meta.method_to_api_mapping[command.replace("-", "_")]
    members = api.meta.service_model.operation_model(operation).input_shape.members
    assert set(options) <= {f"--{xform_name(name, '-')}" for name in members}


def test_what_costs_by_the_hour_or_by_the_gigabyte_is_listed() -> None:
    assert {kind.type for kind in KINDS} >= {
        *("ec2:instance", "ec2:volume", "ec2:natgateway", "ec2:elastic-ip"),
        *("ec2:vpc-endpoint", "elasticloadbalancing:loadbalancer", "lambda:function", "s3:bucket"),
        *("logs:log-group", "cloudwatch:alarm", "cloudwatch:dashboard", "budgets:budget"),
    }


class Api:
    """An AWS API with the given pages of responses, by operation; all other lists are empty."""

    def __init__(self, **responses: list[dict[str, Any]]) -> None:
        known: dict[str, list[dict[str, Any]]] = {"get_caller_identity": [{"Account": "1"}]}
        known["describe_vpcs"] = [{"Vpcs": []}]
        known["describe_tags"] = [{"TagDescriptions": [{"Tags": []}]}]
        known["list_role_tags"] = [{"Tags": []}]
        self.responses = {**known, **responses}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.errors: dict[str, Exception] = {}  # by operation

    def client(self, service: str) -> _Client:
        return _Client(self, service)

    def find(self) -> Findings:
        return find_leftovers(self.client, "timeservice-prod")


class Pages(list[dict[str, Any]]):
    def search(self, expression: str) -> Iterator[Any]:
        for page in self:
            yield from jmespath.search(expression, page)


class _Client:
    def __init__(self, api: Api, service: str) -> None:
        self.api, self.service = api, service

    def can_paginate(self, operation: str) -> bool:
        return len(self.api.responses.get(operation, [])) > 1

    def get_paginator(self, operation: str) -> Any:
        class Paginator:
            @staticmethod
            def paginate(**request: Any) -> Pages:
                return Pages(self._respond(operation, request))

        return Paginator

    def __getattr__(self, operation: str) -> Any:
        return lambda **request: next(iter(self._respond(operation, request)), {})

    def _respond(self, operation: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        if operation in self.api.errors:
            raise self.api.errors[operation]
        self.api.requests.append((operation, request))
        return self.api.responses.get(operation, [])


def make_tags(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


OURS = make_tags(deployment="timeservice-prod")
OTHERS = make_tags(deployment="somebody-elses")


def list_by_tag(*resources: tuple[str, list[dict[str, str]]]) -> dict[str, Any]:
    mappings = [{"ResourceARN": arn, "Tags": tags} for arn, tags in resources]
    return {"ResourceTagMappingList": mappings}


def test_pages_are_read_to_the_last_and_what_ends_by_itself_is_left_out() -> None:
    states = ["running", "terminated", "shutting-down", "stopped"]
    hosts = [
        {"InstanceId": f"i-{state}", "State": {"Name": state}, "Tags": OURS} for state in states
    ]
    pages = [{"Reservations": [{"Instances": [host]}]} for host in hosts]
    stack = {"StackName": "timeservice-prod-network", "StackStatus": "DELETE_COMPLETE"}
    gateway = {"NatGatewayId": "nat-1", "State": "deleted", "Tags": OURS}
    api = Api(
        describe_instances=pages,
        list_stacks=[{"StackSummaries": [stack]}],
        describe_nat_gateways=[{"NatGateways": [gateway]}],
    )
    assert [leftover.id for leftover in api.find().leftovers] == ["i-running", "i-stopped"]


def test_a_resource_without_tags_of_its_own_has_those_of_the_tagging_api() -> None:
    """The ARN of a log group ends with an asterisk. That of a bucket or a topic has no type."""
    api = Api(
        get_resources=[
            list_by_tag(
                ("arn:aws:logs:eu-west-1:1:log-group:mine:*", OURS),
                ("arn:aws:s3:::plain", OURS),
                ("arn:aws:sns:eu-west-1:1:alerts", OURS),
                ("arn:aws:s3:::timeservice-prod-artifacts-bucket-1a", OTHERS),
            )
        ],
        describe_log_groups=[{"logGroups": [{"logGroupName": "mine"}]}],
        list_buckets=[
            {"Buckets": [{"Name": "plain"}, {"Name": "timeservice-prod-artifacts-bucket-1a"}]}
        ],
        list_topics=[{"Topics": [{"TopicArn": "arn:aws:sns:eu-west-1:1:alerts"}]}],
    )
    reason = "its tag deployment is timeservice-prod"
    assert [(leftover.type, leftover.reason) for leftover in api.find().leftovers] == [
        ("sns:topic", reason),
        ("logs:log-group", reason),
        ("s3:bucket", reason),
    ]
    filters = [request["TagFilters"] for name, request in api.requests if name == "get_resources"]
    assert filters[0] == [{"Key": "deployment"}]
    assert filters[1][0]["Key"] == "aws:cloudformation:stack-name"
    assert "timeservice-prod-network" in filters[1][0]["Values"]


def test_balancers_and_roles_of_the_project_are_asked_for_their_tags() -> None:
    roles = ["timeservice-shared", "timeservice-prod-hosts-HostRole-1A", "somebodys"]
    api = Api(
        describe_load_balancers=[
            {"LoadBalancers": [{"LoadBalancerArn": "arn:lb", "LoadBalancerName": "lb"}]}
        ],
        describe_tags=[{"TagDescriptions": [{"Tags": OURS}]}],
        list_roles=[{"Roles": [{"RoleName": name} for name in roles]}],
        list_role_tags=[{"Tags": OURS}],
        list_policies=[{"Policies": [{"Arn": "timeservice-p", "PolicyName": "timeservice-p"}]}],
    )
    found = [leftover.id for leftover in api.find().leftovers]
    assert found == ["arn:lb", "timeservice-shared", "timeservice-prod-hosts-HostRole-1A"]
    assert ("list_role_tags", {"RoleName": "somebodys"}) not in api.requests
    assert ("describe_tags", {"ResourceArns": ["arn:lb"]}) in api.requests
    assert ("describe_budgets", {"AccountId": "1"}) in api.requests
    assert ("list_roles", {}) in api.requests


def test_what_is_in_a_vpc_of_the_deployment_is_left_too_unless_it_is_another_s() -> None:
    groups = [
        {"GroupId": "sg-1", "GroupName": "by-hand", "VpcId": "vpc-1"},
        {"GroupId": "sg-2", "GroupName": "theirs", "VpcId": "vpc-1", "Tags": OTHERS},
        {"GroupId": "sg-3", "GroupName": "elsewhere", "VpcId": "vpc-2"},
    ]
    vpcs = [{"VpcId": "vpc-1", "Tags": OURS}, {"VpcId": "vpc-2"}]
    api = Api(
        describe_vpcs=[{"Vpcs": vpcs}],
        describe_security_groups=[{"SecurityGroups": groups}],
    )
    assert api.find().leftovers[0] == (
        "ec2:security-group",
        "sg-1",
        "it is in the VPC vpc-1",
        "aws ec2 delete-security-group --group-id sg-1",
    )
    assert [leftover.id for leftover in api.find().leftovers] == ["sg-1", "vpc-1"]


def test_a_removal_is_the_stack_s_or_a_command_or_by_hand() -> None:
    stack = "timeservice-prod-healthcheck"
    functions = [f"{stack}-Function-1A", "timeservice-prod-network-Function-1A"]
    names = ["/aws/lambda/timeservice-prod-healthcheck-Function-1A"]
    rule = {"Name": "timeservice-prod-balancer-Rule-1A"}
    api = Api(
        list_stacks=[{"StackSummaries": [{"StackName": stack, "StackStatus": "UPDATE_COMPLETE"}]}],
        list_functions=[{"Functions": [{"FunctionName": name} for name in functions]}],
        list_rules=[{"Rules": [rule]}],
        describe_log_groups=[{"logGroups": [{"logGroupName": name} for name in names]}],
        get_resources=[
            list_by_tag(("arn:aws:lambda:eu-west-1:1:function:tagged", make_tags(x="y")))
        ],
    )
    assert [leftover.remove for leftover in api.find().leftovers] == [
        f"aws cloudformation delete-stack --stack-name {stack}",
        f"goes with the stack {stack}",
        "aws lambda delete-function --function-name timeservice-prod-network-Function-1A",
        "remove it by hand, with what belongs to it",
        f"goes with the stack {stack}",
    ]


def test_what_is_tagged_and_of_another_type_is_listed_by_its_arn() -> None:
    api = Api(
        get_resources=[
            list_by_tag(
                ("arn:aws:sqs:eu-west-1:1:queue", OURS),
                ("arn:aws:dynamodb:eu-west-1:1:table/t", OURS),
                ("arn:aws:ec2:eu-west-1:1:vpc/vpc-1", OURS),
                ("arn:aws:sqs:eu-west-1:1:theirs", OTHERS),
            )
        ]
    )
    found = api.find().leftovers
    assert [(leftover.type, leftover.id) for leftover in found] == [
        ("sqs", "arn:aws:sqs:eu-west-1:1:queue"),
        ("dynamodb:table", "arn:aws:dynamodb:eu-west-1:1:table/t"),
    ]
    assert found[0].remove == "look it up: it may be gone already"


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied"}}, "get_resources"),
        EndpointConnectionError(endpoint_url="https://tagging.eu-west-1.amazonaws.com"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_list_that_is_refused_is_reported_and_the_others_are_read(error: Exception) -> None:
    api = Api(list_buckets=[{"Buckets": [{"Name": "timeservice-prod-artifacts-bucket-1a"}]}])
    api.errors["get_resources"] = error
    found = api.find()
    assert [leftover.type for leftover in found.leftovers] == ["s3:bucket"]
    assert found.refusals == [f"tagged resources: {error}"]
