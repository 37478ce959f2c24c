"""Empty a bucket: CloudFormation deletes none with objects, old versions or unfinished uploads."""

from typing import Any

from deployment.errors import UserError

# Objects that one request to S3 deletes at most.
BATCH = 1000


def list_objects(s3: Any, bucket: str) -> list[dict[str, str]]:
    """Return {Key, VersionId} of each version of each object, and of each delete marker."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    return list(pages.search("[Versions, DeleteMarkers][].{Key: Key, VersionId: VersionId}"))


def list_uploads(s3: Any, bucket: str) -> list[dict[str, str]]:
    """Return {Key, UploadId} of each unfinished upload. Such uploads cost money too."""
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
    return list(pages.search("[Uploads][].{Key: Key, UploadId: UploadId}"))


def empty(s3: Any, bucket: str) -> int:
    """Delete all objects and uploads; return how many.

    Raises UserError for an object that S3 refuses to delete, and what boto3 raises.
    """
    uploads, objects = list_uploads(s3, bucket), list_objects(s3, bucket)
    for upload in uploads:
        s3.abort_multipart_upload(Bucket=bucket, **upload)
    for first in range(0, len(objects), BATCH):
        batch = {"Objects": objects[first : first + BATCH], "Quiet": True}
        for error in s3.delete_objects(Bucket=bucket, Delete=batch).get("Errors", []):
            reason = error.get("Message", error["Code"])
            raise UserError(
                f"S3 does not delete {bucket}/{error['Key']}: {reason}. Delete it by hand, and run "
                "the command again"
            )
    return len(uploads) + len(objects)


def find_bucket(cloudformation: Any, stack: str) -> str | None:
    """Return the bucket that the artifacts stack has made. No other bucket is ever emptied."""
    for item in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
        is_bucket = item["ResourceType"] == "AWS::S3::Bucket"
        if is_bucket and item["ResourceStatus"] != "DELETE_COMPLETE":
            return item.get("PhysicalResourceId") or None
    return None
