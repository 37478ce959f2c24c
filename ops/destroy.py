"""Remove a deployment with the pulumi CLI: `python -m ops.destroy` (make destroy).

Pulumi asks for a confirmation, and deletes the bucket's stack last. That fails while the bucket
contains objects that Pulumi does not know, such as an old version or an unfinished upload. This
command then empties the bucket and runs Pulumi again, which asks again. After a "no" it empties
nothing: the events of the bucket's stack must show that Pulumi has tried to delete the stack. At
the end, this command lists what is left.

Exit codes: 0 removed, 1 something is left, 2 wrong usage, 3 the bucket is not emptied or requests
to AWS fail; otherwise Pulumi's.
"""

import argparse
import signal
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from deployment.bucket import empty, find_bucket
from deployment.errors import UserError
from deployment.ownership import Deployment, find_stack
from deployment.state import run_pulumi
from deployment.template import PARTS
from ops.leftovers import NOT_ALL_LISTED, print_leftovers
from ops.target import Target, get_target, run

ARTIFACTS = "artifacts"


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.destroy", __doc__, argv, destroy, needs_stack=True)


def destroy(args: argparse.Namespace) -> int:
    before: str | None = None
    try:
        before = find_failed_deletion(args)
    except (UserError, BotoCoreError, ClientError) as error:
        print(f"warning: requests to AWS fail, so no bucket is emptied: {error}", file=sys.stderr)
    code = destroy_by_pulumi(args.stack)
    if code and before is not None and find_failed_deletion(args) not in ("", before):
        print(empty_bucket(get_target(args)))
        code = destroy_by_pulumi(args.stack)
    if code:
        return code
    # The deployer may not list everything, and what it may not list is printed.
    left = print_leftovers(args)
    return 0 if left == NOT_ALL_LISTED else left


def find_failed_deletion(args: argparse.Namespace) -> str:
    """Return the id of the last event in which the deletion of the bucket's stack failed, or "".

    Raises UserError, and what boto3 raises.
    """
    target = get_target(args)
    cloudformation, name = target.client("cloudformation"), f"{target.deployment}-{ARTIFACTS}"
    if not find_stack(cloudformation, name):
        return ""
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failures = [event["EventId"] for event in events if event["ResourceStatus"] == "DELETE_FAILED"]
    return str(failures[0]) if failures else ""


def empty_bucket(target: Target) -> str:
    """Empty the artifacts stack's bucket, and return the outcome in words.

    Other stacks must be deleted first: hosts load their image from it. Raises UserError, and what
    boto3 raises.
    """
    cloudformation = target.client("cloudformation")
    name = f"{target.deployment}-{ARTIFACTS}"
    stack = find_stack(cloudformation, name)
    if not stack:
        return f"Nothing to do: there is no stack {name}."
    if not Deployment(target.deployment).owns(stack):
        raise UserError(
            f"the stack {name} has another deployment's tag, so its bucket is not emptied. If the "
            "bucket is yours, empty it by hand"
        )
    # The name of a hosts stack ends with its release. While one exists, so does the network's
    # stack.
    parts = [part for part in PARTS if part not in (ARTIFACTS, "hosts")]
    names = [f"{target.deployment}-{part}" for part in parts]
    others = [other for other in names if find_stack(cloudformation, other)]
    if others:
        raise UserError(
            f"{target.deployment} is still deployed ({', '.join(others)}) and needs what is in its "
            "bucket: correct what pulumi destroy reports above, and run make destroy again"
        )
    bucket = find_bucket(cloudformation, name)
    if bucket is None:
        return f"Nothing to do: the stack {name} has no bucket."
    return f"{bucket}: {empty(target.client('s3'), bucket)} deleted."


def destroy_by_pulumi(stack: str) -> int:
    """Let Pulumi ask and destroy; return its exit code. Ctrl-C is Pulumi's to handle."""
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return run_pulumi("destroy", "--stack", stack, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, previous)


if __name__ == "__main__":
    raise SystemExit(main())
