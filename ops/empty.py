"""Empty the bucket of a deployment that is being removed: `python -m ops.empty` (in make destroy).

Pulumi deletes what it uploaded. Anything else in the bucket, such as an old version or an
unfinished upload, keeps the stack from being deleted. Only the bucket of the artifacts stack is
emptied, and only after all other stacks are deleted: hosts load their image from it.

Exit codes: 0 the bucket is empty or there is none, 1 refused, 2 wrong usage, 3 AWS cannot be asked.
"""

import argparse
import sys
from collections.abc import Sequence

from deployment.bucket import empty, find_bucket
from deployment.errors import UserError
from deployment.ownership import Deployment, parse_tags
from ops.target import Target, get_target, run


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.empty", __doc__, argv, print_outcome)


def print_outcome(args: argparse.Namespace) -> int:
    target = get_target(args)
    try:
        print(empty_bucket(target))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def empty_bucket(target: Target) -> str:
    """Return the outcome in words. Raises UserError, and what boto3 raises."""
    cloudformation, deployment = target.client("cloudformation"), Deployment(target.deployment)
    stacks = {stack["StackName"]: stack for stack in deployment.list_stacks(cloudformation)}
    name = f"{target.deployment}-artifacts"
    if name not in stacks:
        return f"Nothing to do: there is no stack {name}."
    tags = parse_tags(stacks[name].get("Tags"))
    if not deployment.reason(name, tags):
        raise UserError(f"the stack {name} has the tag deployment={tags['deployment']}")
    others = [other for other in stacks if other != name]
    if others:
        raise UserError(
            f"{target.deployment} is still deployed ({', '.join(others)}) and needs what is in its "
            "bucket: run pulumi destroy first"
        )
    bucket = find_bucket(cloudformation, name)
    if bucket is None:
        return f"Nothing to do: the stack {name} has no bucket."
    return f"{bucket}: {empty(target.client('s3'), bucket)} deleted."


if __name__ == "__main__":
    raise SystemExit(main())
