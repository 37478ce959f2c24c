"""Remove a deployment with the pulumi CLI: `python -m ops.destroy` (make destroy).

Pulumi asks, and deletes the bucket's stack last. That fails while the bucket holds objects that
Pulumi does not know. Then this empties the bucket and runs Pulumi again, which asks again. Nothing
is emptied after a "no": first, the events of the bucket's stack must show that Pulumi has tried to
delete the stack. At the end, this lists what is left.

Exit codes: 0 removed, 1 something is left, 2 wrong usage, 3 the bucket is not emptied or AWS cannot
be asked; otherwise Pulumi's.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from deployment.errors import UserError
from ops.empty import ARTIFACTS, empty_bucket
from ops.leftovers import NOT_ALL_LISTED, print_leftovers
from ops.target import get_target, run


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.destroy", __doc__, argv, destroy)


def destroy(args: argparse.Namespace) -> int:
    before: str | None = None
    try:
        before = find_failed_deletion(args)
    except (UserError, BotoCoreError, ClientError) as error:
        print(f"warning: AWS cannot be asked, so no bucket is emptied: {error}", file=sys.stderr)
    code = run_pulumi(args.stack)
    if code and before is not None and find_failed_deletion(args) not in ("", before):
        print(empty_bucket(get_target(args)))
        code = run_pulumi(args.stack)
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
    try:
        events = target.client("cloudformation").describe_stack_events(
            StackName=f"{target.deployment}-{ARTIFACTS}"
        )["StackEvents"]
    except ClientError as error:
        if "does not exist" in str(error):
            return ""
        raise
    failures = [event["EventId"] for event in events if event["ResourceStatus"] == "DELETE_FAILED"]
    return str(failures[0]) if failures else ""


def run_pulumi(stack: str) -> int:
    """Let Pulumi ask and destroy; return its exit code. Ctrl-C is Pulumi's to handle."""
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.run(["pulumi", "destroy", "--stack", stack], check=False).returncode
    finally:
        signal.signal(signal.SIGINT, previous)


if __name__ == "__main__":
    raise SystemExit(main())
