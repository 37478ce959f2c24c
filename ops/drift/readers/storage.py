"""Buckets."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from ops.drift.readers.reader import Client, Properties, Reader, gone


def bucket(client: Client, identity: str, _: Properties) -> Properties:
    s3 = client("s3")
    s3.head_bucket(Bucket=identity)

    def told(operation: str) -> Any:
        """{} for what nobody has set."""
        try:
            return getattr(s3, operation)(Bucket=identity)
        except ClientError as refused:
            if gone(refused) or "NotFound" in refused.response["Error"]["Code"]:
                return {}
            raise

    block = told("get_public_access_block").get("PublicAccessBlockConfiguration", {})
    encryption = told("get_bucket_encryption").get("ServerSideEncryptionConfiguration", {})
    defaults = [
        {"ServerSideEncryptionByDefault": one.get("ApplyServerSideEncryptionByDefault")}
        for one in encryption.get("Rules", [])
    ]
    lifecycle = told("get_bucket_lifecycle_configuration").get("Rules", [])
    return {
        "PublicAccessBlockConfiguration": block,
        "BucketEncryption": {"ServerSideEncryptionConfiguration": defaults},
        "OwnershipControls": told("get_bucket_ownership_controls").get("OwnershipControls", {}),
        "LifecycleConfiguration": {"Rules": [{**one, "Id": one.get("ID")} for one in lifecycle]},
        "VersioningConfiguration": {"Status": told("get_bucket_versioning").get("Status", "Off")},
    }


def bucket_policy(client: Client, _: str, expected: Properties) -> Properties:
    policy = client("s3").get_bucket_policy(Bucket=expected["Bucket"])["Policy"]
    return {"Bucket": expected["Bucket"], "PolicyDocument": json.loads(policy)}


READERS: dict[str, Reader] = {
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": bucket_policy,
}
