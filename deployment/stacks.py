"""How a template becomes a stack, and a file an object: what is the same for all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from deployment.release import Archive
from deployment.template import read


def name() -> str:
    """Of the deployment: what the names of its stacks begin with."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}"


def stack(
    part: str,
    parameters: Mapping[str, pulumi.Input[str]],
    *,
    variant: str = "",
    protect: bool = False,
    minutes: int = 15,
    after: pulumi.Resource | None = None,
    never_replaced: Sequence[str] = (),
) -> aws.cloudformation.Stack:
    """Deploy cfn/<part>.yaml as <project>-<stack>-<part>, or as ...-<part>-<variant>: one stack for each variant.

    variant: what a new stack is made for, beside the old one, when it changes, such as a release. minutes: what
    creation, update or deletion may take. never_replaced: logical ids (`*` allowed) of resources that an update may
    change, and not replace.
    """
    template = read(part)
    deployment = name()
    resource = f"{part}-{variant}" if variant else part
    timeout = f"{minutes}m"
    return aws.cloudformation.Stack(
        resource,
        name=f"{deployment}-{resource}",
        template_body=template.body,
        parameters=parameters,
        capabilities=["CAPABILITY_IAM"] if template.makes_roles else [],
        # Else a failed creation leaves a stack in ROLLBACK_COMPLETE, which blocks its name. Pulumi's state keeps it
        # all the same; `pulumi up --refresh` finds out that it is gone.
        on_failure="DELETE",
        policy_body=_stack_policy(never_replaced) if never_replaced else None,
        tags={"project": pulumi.get_project(), "deployment": deployment},
        opts=pulumi.ResourceOptions(
            protect=protect,
            depends_on=after,
            # The provider stops waiting after 30 minutes, whatever the wait condition allows, unless told.
            custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout),
        ),
    )


def _stack_policy(never_replaced: Sequence[str]) -> str:
    """A policy that holds for updates only: deleting the whole stack stays possible."""
    everyone = {"Action": "Update:*", "Principal": "*"}
    resources = [f"LogicalResourceId/{name}" for name in never_replaced]
    return json.dumps(
        {
            "Statement": [
                {"Effect": "Allow", **everyone, "Resource": "*"},
                {"Effect": "Deny", **everyone, "Action": "Update:Replace", "Resource": resources},
            ]
        }
    )


def upload(
    kind: str, archive: Archive, bucket: pulumi.Input[str], key: str
) -> aws.s3.BucketObjectv2:
    """Upload a file once: a key that carries the digest of the file's sources always holds the same bytes.

    An archive that is made again elsewhere can differ from the first, and the hosts of one release must not.
    """
    return aws.s3.BucketObjectv2(
        f"{kind}-{archive.digest}",
        bucket=bucket,
        key=key,
        source=pulumi.FileAsset(str(archive.path)),
        opts=pulumi.ResourceOptions(ignore_changes=["source"]),
    )
