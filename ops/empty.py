"""Empty the bucket of a deployment that is being removed, for `ops.destroy`.

Pulumi deletes what it uploaded. Anything else in the bucket, such as an old version or an
unfinished upload, keeps the stack from being deleted. Only the bucket of the artifacts stack is
emptied, and only after all other stacks are deleted: hosts load their image from it.
"""

from deployment.bucket import empty, find_bucket
from deployment.errors import UserError
from deployment.ownership import Deployment, find_stack, parse_tags
from deployment.template import PARTS
from ops.target import Target

ARTIFACTS = "artifacts"


def empty_bucket(target: Target) -> str:
    """Return the outcome in words. Raises UserError, and what boto3 raises."""
    cloudformation, deployment = target.client("cloudformation"), Deployment(target.deployment)
    name = f"{target.deployment}-{ARTIFACTS}"
    stack = find_stack(cloudformation, name)
    if not stack:
        return f"Nothing to do: there is no stack {name}."
    tags = parse_tags(stack.get("Tags"))
    if not deployment.reason(name, tags):
        raise UserError(
            f"the stack {name} has the tag deployment={tags['deployment']}, so its bucket is not "
            "emptied. If the bucket is yours, empty it by hand"
        )
    # A stack of hosts has its release in its name. While there is one, there is the network's.
    parts = [part for part in PARTS if part not in (ARTIFACTS, "hosts")]
    names = [f"{target.deployment}-{part}" for part in parts]
    others = [other for other in names if find_stack(cloudformation, other)]
    if others:
        raise UserError(
            f"{target.deployment} is still deployed ({', '.join(others)}) and needs what is in its "
            "bucket: run pulumi destroy first"
        )
    bucket = find_bucket(cloudformation, name)
    if bucket is None:
        return f"Nothing to do: the stack {name} has no bucket."
    return f"{bucket}: {empty(target.client('s3'), bucket)} deleted."
