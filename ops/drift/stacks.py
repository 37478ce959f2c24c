"""A deployment's stacks as they are: template, parameters, and what each calls its resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from deployment.ownership import Deployment, outputs_of, pairs
from deployment.template import Template


class Stack(NamedTuple):
    """A deployed stack. pseudo: AWS::Region and the like. physical, types: by logical id, of what the stack has."""

    name: str
    status: str
    template: Template
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    pseudo: Mapping[str, str]
    physical: Mapping[str, str]
    types: Mapping[str, str]


def stacks(client: Callable[[str], Any], region: str, deployment: Deployment) -> list[Stack]:
    """Those of the deployment, with what is needed to know what their resources should be."""
    cloudformation = client("cloudformation")
    caller = client("sts").get_caller_identity()
    account = {
        "AWS::AccountId": caller["Account"],
        "AWS::Partition": caller["Arn"].split(":")[1],
        "AWS::Region": region,
        "AWS::URLSuffix": "amazonaws.com",
    }
    return [
        _stack(cloudformation, one, account)
        for one in deployment.stacks(cloudformation)
        if deployment.reason(one["StackName"], pairs(one.get("Tags")))
    ]


def _stack(cloudformation: Any, told: dict[str, Any], account: dict[str, str]) -> Stack:
    name = told["StackName"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    resources = [one for page in pages for one in page["StackResourceSummaries"]]
    return Stack(
        name,
        told["StackStatus"],
        Template(cloudformation.get_template(StackName=name)["TemplateBody"]),
        {
            one["ParameterKey"]: one.get("ResolvedValue", one["ParameterValue"])
            for one in told.get("Parameters", [])
        },
        outputs_of(told),
        {**account, "AWS::StackId": told["StackId"], "AWS::StackName": name},
        {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in resources},
        {one["LogicalResourceId"]: one["ResourceType"] for one in resources},
    )
