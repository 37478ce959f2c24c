"""The S3 gateway endpoint: HAProxy returns a 403 to what the endpoint's policy does not name."""

import functools
import re
from typing import Any

from deployment.template import Template
from local.api import REGION

PORT = ":4566"
# Signals go to a bucket of CloudFormation on AWS, and to a path of MiniStack here.
SIGNAL_BUCKET = "cloudformation-waitcondition-"
SIGNAL_PATH = "/_ministack/cfn-signal/"
METHODS = {"s3:GetObject": "GET HEAD", "s3:PutObject": "PUT"}


def read_policy(ec2: Any, cloudformation: Any) -> dict[str, Any]:
    """Return the policy from the template, because the emulator describes endpoints without it."""
    (endpoint,) = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    tags = {tag["Key"]: tag["Value"] for tag in endpoint["Tags"]}
    name = tags["aws:cloudformation:stack-name"]
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    body = cloudformation.get_template(StackName=name)["TemplateBody"]
    resource = _parse_template(body).resources[tags["aws:cloudformation:logical-id"]]
    values = {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]}
    values |= {"AWS::Region": REGION, "AWS::Partition": "aws"}
    policy: dict[str, Any] = resolve(resource["Properties"]["PolicyDocument"], values)
    return policy


# Each round needs it, and parsing takes longer than the rest of the round.
@functools.lru_cache(maxsize=1)
def _parse_template(body: str) -> Template:
    return Template(body)


def resolve(content: Any, values: dict[str, str]) -> Any:
    """Return the content with the text of each Fn::Sub in its place."""
    if isinstance(content, list):
        return [resolve(item, values) for item in content]
    if not isinstance(content, dict):
        return content
    if set(content) == {"Fn::Sub"}:
        return re.sub(r"\$\{([^}]+)\}", lambda match: values[match[1]], content["Fn::Sub"])
    return {key: resolve(item, values) for key, item in content.items()}


def allow(policy: dict[str, Any]) -> str:
    """Return HAProxy's line for each resource that the policy allows. Raises ValueError."""
    lines = []
    for statement in policy["Statement"]:
        if statement["Effect"] != "Allow":
            raise ValueError("the endpoint's stand-in knows only Allow statements")
        for action in _as_list(statement["Action"]):
            for resource in _as_list(statement["Resource"]):
                lines.append(
                    "    http-request set-var(txn.allowed) bool(true) if "
                    f"{{ method {METHODS[action]} }} {{ path -m reg {_path_of(resource)} }}"
                )
    return "\n".join(lines)


def _path_of(resource: str) -> str:
    bucket, _, key = resource.removeprefix("arn:aws:s3:::").partition("/")
    prefix = SIGNAL_PATH if bucket.startswith(SIGNAL_BUCKET) else f"/{bucket}/"
    return pattern(prefix + key)


def pattern(text: str) -> str:
    """Return the regular expression for a text with the wildcards `*` and `?`."""
    return "^" + re.escape(text).replace(r"\*", ".*").replace(r"\?", ".") + "$"


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
