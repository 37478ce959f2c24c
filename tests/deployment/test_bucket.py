"""A bucket is emptied of all versions, markers and unfinished uploads, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from deployment import bucket
from deployment.errors import UserError
from local.api import client

BUCKET = {"Bucket": "b"}


@pytest.fixture
def s3() -> Iterator[Stubber]:
    with Stubber(client("http://nowhere.invalid", "s3")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def add_lists(s3: Stubber, versions: dict[str, Any], uploads: dict[str, Any]) -> None:
    s3.add_response("list_multipart_uploads", uploads, BUCKET)
    s3.add_response("list_object_versions", versions, BUCKET)


def add_deletion(s3: Stubber, *objects: dict[str, str], errors: list[dict[str, str]]) -> None:
    request = {**BUCKET, "Delete": {"Objects": list(objects), "Quiet": True}}
    s3.add_response("delete_objects", {"Errors": errors} if errors else {}, request)


def test_versions_markers_and_uploads_are_deleted_in_batches(
    s3: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "BATCH", 2)
    old, new, marker = ({"Key": "k", "VersionId": version} for version in "123")
    upload = {"Key": "half", "UploadId": "u"}
    versions = {"Versions": [{**old, "Size": 1}, new], "DeleteMarkers": [marker]}
    add_lists(s3, versions, {"Uploads": [upload]})
    s3.add_response("abort_multipart_upload", {}, {**BUCKET, **upload})
    add_deletion(s3, old, new, errors=[])
    add_deletion(s3, marker, errors=[])
    assert bucket.empty(s3.client, "b") == 4


def test_an_empty_bucket_needs_no_deletion(s3: Stubber) -> None:
    add_lists(s3, {}, {})
    assert bucket.empty(s3.client, "b") == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            {"Key": "k", "Code": "AccessDenied", "Message": "not you"},
            "not you",
        ),
        (
            {"Key": "k", "Code": "AccessDenied"},
            "AccessDenied",
        ),
    ],
)
def test_what_s3_does_not_delete_is_reported(
    s3: Stubber, error: dict[str, str], reason: str
) -> None:
    version = {"Key": "k", "VersionId": "1"}
    add_lists(s3, {"Versions": [version]}, {})
    add_deletion(s3, version, errors=[error])
    remedy = "Delete it by hand, and run the command again"
    with pytest.raises(UserError, match=f"^S3 does not delete b/k: {reason}. {remedy}$"):
        bucket.empty(s3.client, "b")


def test_a_batch_is_what_s3_takes_at_most() -> None:
    assert bucket.BATCH == 1000


def make_resource(type: str, status: str, identity: str) -> dict[str, str]:
    return {"ResourceType": type, "ResourceStatus": status, "PhysicalResourceId": identity}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([], None),
        ([make_resource("AWS::S3::BucketPolicy", "CREATE_COMPLETE", "p")], None),
        ([make_resource("AWS::S3::Bucket", "DELETE_COMPLETE", "old")], None),
        ([make_resource("AWS::S3::Bucket", "CREATE_IN_PROGRESS", "")], None),
        (
            [
                make_resource("AWS::S3::BucketPolicy", "CREATE_COMPLETE", "p"),
                make_resource("AWS::S3::Bucket", "DELETE_FAILED", "b"),
            ],
            "b",
        ),
    ],
)
def test_the_bucket_is_the_one_that_the_stack_still_has(
    resources: list[dict[str, str]], expected: str | None
) -> None:
    with Stubber(client("http://nowhere.invalid", "cloudformation")) as stubber:
        more = {"LogicalResourceId": "Bucket", "Timestamp": "2026-11-01T12:00:00Z"}
        found = {"StackResources": [{**resource, **more} for resource in resources]}
        stubber.add_response("describe_stack_resources", found, {"StackName": "s"})
        assert bucket.find_bucket(stubber.client, "s") == expected
