"""The S3 gateway endpoint: HAProxy returns a 403 to what the endpoint's policy does not name."""

import re
from typing import Any

PORT = 4566
# Signals go to a bucket of CloudFormation on AWS, and to a path of MiniStack here.
SIGNAL_BUCKET = "cloudformation-waitcondition-"
SIGNAL_PATH = "/_ministack/cfn-signal/"
METHODS = {"s3:GetObject": "GET HEAD", "s3:PutObject": "PUT"}


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
