"""What could let everyone in through AWS's own API, as that describes it: of functions, buckets and topics."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from ops.target import Target


def function(target: Target, name: str) -> dict[str, Any]:
    functions = target.client("lambda")
    policy = None
    with suppress(functions.exceptions.ResourceNotFoundException):
        policy = json.loads(functions.get_policy(FunctionName=name)["Policy"])
    urls = target.list_all("lambda", "list_function_url_configs", FunctionName=name)
    return {"FunctionName": name, "Urls": urls, "Policy": policy}


def bucket(target: Target, name: str) -> dict[str, Any]:
    s3 = target.client("s3")
    block = _unless(
        "NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket=name
    ).get("PublicAccessBlockConfiguration", {})
    policy = _unless("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=name).get("Policy")
    grants = s3.get_bucket_acl(Bucket=name)["Grants"]
    policy = json.loads(policy) if policy else None
    return {"Name": name, "Block": block, "Policy": policy, "Grants": grants}


def _unless(code: str, call: Any, **request: Any) -> dict[str, Any]:
    """The answer; {} if it is an error of that code."""
    try:
        answer: dict[str, Any] = call(**request)
    except ClientError as refused:
        if refused.response["Error"]["Code"] == code:
            return {}
        raise
    return answer


def topic(target: Target, arn: str) -> dict[str, Any]:
    attributes = target.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    return {"TopicArn": arn, "Policy": json.loads(attributes["Policy"])}
