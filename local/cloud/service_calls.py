"""Let MiniStack check what AWS's services call in the name of the role that makes a stack.

On AWS, load balancers and Auto Scaling call EC2 in that way. In MiniStack they do not, so it would
accept a deployer that AWS refuses.
"""

from functools import partial
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import provisioners

from deployment.permissions import read_permissions

# The type of a resource -> the name of its service in permissions.csv.
CALLERS = {
    "AWS::AutoScaling::AutoScalingGroup": "autoscaling",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "elasticloadbalancing",
}


def install() -> None:
    for type_, service in CALLERS.items():
        handlers = provisioners._RESOURCE_HANDLERS[type_]
        handlers["create"] = partial(_create, service, handlers["create"])


def _create(service: str, create: Any, *request: Any) -> Any:
    for call in read_permissions():
        if call["caller"] == service:
            _check(call["action"], call["resource"], call["context"])
    return create(*request)


def _check(action: str, resource: str, context: str) -> None:
    """Raise ValueError, which becomes the event of a failed resource."""
    # It is "" for the root of the account, which may do everything.
    key = iam_evaluator._verified_key.get()
    if resource != "*":
        resource = f"arn:aws:{resource.format(region=get_region(), account=get_account_id())}"
    conditions = dict(pair.split("=") for pair in context.split(";") if pair)
    conditions |= {"aws:ViaAWSService": "true", "aws:CalledVia": "cloudformation.amazonaws.com"}
    service = action.partition(":")[0]
    if key and iam_evaluator.enforce(key, action, service, get_region(), resource, conditions):
        user = iam_evaluator.caller_arn()
        raise ValueError(
            f"User: {user} is not authorized to perform: {action} on resource: {resource}"
        )
