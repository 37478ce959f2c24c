"""What a bucket or a role holds: it must go before they do."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from deployment.bucket import contents, uploads
from ops.leftovers.found import Left


def of_bucket(s3: Any, bucket: str, why: str) -> Iterator[Left]:
    quoted = shlex.quote(bucket)
    for kind, option, found in (
        ("unfinished upload", "abort-multipart-upload --upload-id", uploads(s3, bucket)),
        ("object version", "delete-object --version-id", contents(s3, bucket)),
    ):
        for key, mark in (tuple(one.values()) for one in found):
            command = f"aws s3api {option} {mark} --bucket {quoted} --key {shlex.quote(key)}"
            yield Left(kind, f"{bucket}/{key}", f"its bucket: {why}", command)


def of_role(iam: Any, role: str, why: str) -> Iterator[Left]:
    quoted = shlex.quote(role)
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        command = f"aws iam delete-role-policy --role-name {quoted} --policy-name {name}"
        yield Left("role's policy", f"{role}/{name}", f"its role: {why}", command)
    for one in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = one["PolicyArn"]
        command = f"aws iam detach-role-policy --role-name {quoted} --policy-arn {arn}"
        yield Left("role's attachment", f"{role}/{arn}", f"its role: {why}", command)
