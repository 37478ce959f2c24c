"""The S3 gateway endpoint, for which HAProxy stands in: what its policy does not name gets a 403, as on AWS."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Collection
from typing import Any

from deployment.template import Template

PORT = ":4566"
# MiniStack's own path for what is a bucket of CloudFormation's on AWS.
SIGNAL_BUCKET = "cloudformation-waitcondition-"
SIGNAL_PATH = "/_ministack/cfn-signal/"
METHODS = {"s3:GetObject": "GET HEAD", "s3:PutObject": "PUT"}


def policy(ec2: Any, cloudformation: Any) -> dict[str, Any]:
    """From its stack's template: the emulator's DescribeVpcEndpoints leaves it out."""
    (endpoint,) = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    tags = {tag["Key"]: tag["Value"] for tag in endpoint["Tags"]}
    name = tags["aws:cloudformation:stack-name"]
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    body = cloudformation.get_template(StackName=name)["TemplateBody"]
    resource = _template(body).resources[tags["aws:cloudformation:logical-id"]]
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    values |= {"AWS::Region": os.environ["AWS_REGION"], "AWS::Partition": "aws"}
    found: dict[str, Any] = resolved(resource["Properties"]["PolicyDocument"], values)
    return found


# It is asked for each second, and reading it takes longer than all the rest.
@functools.lru_cache(maxsize=1)
def _template(body: str) -> Template:
    return Template(body)


def resolved(content: Any, values: dict[str, str]) -> Any:
    """`content` with each Fn::Sub in it replaced by its text."""
    if isinstance(content, list):
        return [resolved(one, values) for one in content]
    if not isinstance(content, dict):
        return content
    if set(content) == {"Fn::Sub"}:
        return re.sub(r"\$\{([^}]+)\}", lambda name: values[name[1]], content["Fn::Sub"])
    return {key: resolved(one, values) for key, one in content.items()}


def configuration(policy: dict[str, Any], zones: Collection[str], api: str) -> str:
    """zones: the addresses at which hosts find it, and nobody else; "" for all. api: host and port of the emulator."""
    bound = "\n".join(f"    bind {address}{PORT}" for address in sorted(zones))
    return f"""frontend s3_endpoint
{bound}
{_allowed(policy)}
    http-request deny deny_status 403 unless {{ var(txn.allowed) -m bool }}
    # The emulator finds out from any of these what is asked of it: a list, a policy, another bucket, another service.
    http-request deny deny_status 403 if {{ path -m reg ^/[^/]*/?$ }} or {{ query -m len gt 0 }}
    http-request deny deny_status 403 if {{ req.hdr(X-Amz-Target) -m found }}
    http-request deny deny_status 403 if {{ req.hdr(Authorization) -m found }} \
!{{ req.hdr(Authorization) -m sub /s3/aws4_request }}
    http-request set-header Host {api}
    default_backend s3

backend s3
    # The bucket's policy refuses plain HTTP, which is all that the emulator speaks here: what comes this way would have
    # come over TLS.
    http-request set-header X-Forwarded-Proto https
    server api {api}
"""


def _allowed(policy: dict[str, Any]) -> str:
    lines = []
    for statement in policy["Statement"]:
        if statement["Effect"] != "Allow":
            raise ValueError("the endpoint's stand-in knows only Allow statements")
        for action in _listed(statement["Action"]):
            for resource in _listed(statement["Resource"]):
                lines.append(
                    "    http-request set-var(txn.allowed) bool(true) if "
                    f"{{ method {METHODS[action]} }} {{ path -m reg {_object_path(resource)} }}"
                )
    return "\n".join(lines)


def _object_path(resource: str) -> str:
    bucket, _, key = resource.removeprefix("arn:aws:s3:::").partition("/")
    prefix = SIGNAL_PATH if bucket.startswith(SIGNAL_BUCKET) else f"/{bucket}/"
    return pattern(prefix + key)


def pattern(text: str) -> str:
    """What is matched with `*` and `?`, by a policy or a listener's rule, as a regular expression."""
    return "^" + re.escape(text).replace(r"\*", ".*").replace(r"\?", ".") + "$"


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
