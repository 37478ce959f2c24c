"""The API's description of the load balancer, from the templates."""

from __future__ import annotations

import re
from typing import Any

from local.cloud.cloud_api import Balancing
from tests.support.templates import attributes, the


def balancing() -> Balancing:
    target = the("ElasticLoadBalancingV2::TargetGroup")
    default = {
        "IsDefault": True,
        "Conditions": [],
        "Actions": the("ElasticLoadBalancingV2::Listener")["DefaultActions"],
    }
    policy = the("EC2::VPCEndpoint")["PolicyDocument"]
    values = {"ArtifactsBucket": "artifacts", "AWS::Region": "us-east-1", "AWS::Partition": "aws"}
    return Balancing(
        load_balancer={},
        attributes=attributes(the("ElasticLoadBalancingV2::LoadBalancer")),
        target_group=target,
        target_attributes=attributes(target),
        rules=[_as_the_api_returns_it(the("ElasticLoadBalancingV2::ListenerRule")), default],
        endpoint_policy=_resolve(policy, values),
    )


def _resolve(content: Any, values: dict[str, str]) -> Any:
    """Return the content with the text of each Fn::Sub in its place."""
    if isinstance(content, list):
        return [_resolve(item, values) for item in content]
    if not isinstance(content, dict):
        return content
    if set(content) == {"Fn::Sub"}:
        return re.sub(r"\$\{([^}]+)\}", lambda match: values[match[1]], content["Fn::Sub"])
    return {key: _resolve(item, values) for key, item in content.items()}


def _as_the_api_returns_it(properties: dict[str, Any]) -> dict[str, Any]:
    return {**properties, "IsDefault": False}
