"""Empties a bucket: CloudFormation deletes none that holds anything, be it an old version or half an upload."""

from __future__ import annotations

from typing import Any

from deployment.errors import UserError

AT_ONCE = 1000  # what one request of S3's deletes at most


class NotEmptied(UserError):
    """S3 refused to delete something; the text says what and why."""


def contents(s3: Any, bucket: str) -> list[dict[str, str]]:
    """All versions of all objects, and the marks that deletions left: {Key, VersionId} each."""
    found: list[dict[str, str]] = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            found.append({"Key": one["Key"], "VersionId": one["VersionId"]})
    return found


def uploads(s3: Any, bucket: str) -> list[dict[str, str]]:
    """Uploads in parts that were not finished: {Key, UploadId} each. They are invisible otherwise, and paid for."""
    found: list[dict[str, str]] = []
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for one in page.get("Uploads", []):
            found.append({"Key": one["Key"], "UploadId": one["UploadId"]})
    return found


def empty(s3: Any, bucket: str) -> int:
    """Delete all of it; returns how many things that were. Raises NotEmptied, and what boto3 raises."""
    unfinished, whole = uploads(s3, bucket), contents(s3, bucket)
    for upload in unfinished:
        s3.abort_multipart_upload(Bucket=bucket, **upload)
    for first in range(0, len(whole), AT_ONCE):
        batch = {"Objects": whole[first : first + AT_ONCE], "Quiet": True}
        for refused in s3.delete_objects(Bucket=bucket, Delete=batch).get("Errors", []):
            raise NotEmptied(
                f"{bucket}/{refused['Key']}: {refused.get('Message', refused['Code'])}"
            )
    return len(unfinished) + len(whole)


def find_bucket(cloudformation: Any, stack: str) -> str | None:
    """Return the bucket that the artifacts stack has made. No other bucket is ever emptied."""
    for item in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
        is_bucket = item["ResourceType"] == "AWS::S3::Bucket"
        if is_bucket and item["ResourceStatus"] != "DELETE_COMPLETE":
            return item.get("PhysicalResourceId") or None
    return None
