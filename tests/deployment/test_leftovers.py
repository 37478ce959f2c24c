"""The table of what a deployment may leave names operations, keys and commands that AWS has."""

from __future__ import annotations

import pytest
from botocore import xform_name

from deployment.leftovers import Kind, read_kinds
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
