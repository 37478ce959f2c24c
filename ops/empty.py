"""Empties the bucket of a deployment that is being removed: `python -m ops.empty` (a part of make destroy).

Pulumi deletes what it uploaded. Whatever else is in the bucket (what somebody put there, an old version, half an
upload) keeps its stack from being deleted, the last of all. The bucket is the one that the artifacts stack made, and no
other; and it is emptied only when nothing else of the deployment is there: hosts load their image from it.

Exit codes: 0 it is empty, or there is none, 1 refused, and says why, 2 wrong usage, 3 AWS cannot be asked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from deployment.bucket import NotEmptied, empty
from deployment.errors import UserError
from deployment.ownership import Deployment, pairs
from local.destroy import bucket_of
from ops.target import Target, parser, target


class Refused(Exception):
    """It is not emptied; the text says why, and what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    try:
        print(emptied(target(parser("ops.empty", __doc__).parse_args(argv))))
    except (Refused, NotEmptied) as why:
        print(f"error: {why}", file=sys.stderr)
        return 1
    except (UserError, BotoCoreError, ClientError) as trouble:
        print(f"error: AWS cannot be asked: {trouble}", file=sys.stderr)
        return 3
    return 0


def emptied(where: Target) -> str:
    """What was done, in words. Raises Refused, NotEmptied, and what boto3 raises."""
    cloudformation, deployment = where.client("cloudformation"), Deployment(where.deployment)
    there = {one["StackName"]: one for one in deployment.stacks(cloudformation)}
    name = f"{where.deployment}-artifacts"
    if name not in there:
        return f"Nothing to do: there is no stack {name}."
    tags = pairs(there[name].get("Tags"))
    if not deployment.reason(name, tags):
        raise Refused(f"the stack {name} is tagged as another deployment's: {tags['deployment']}")
    others = [one for one in there if one != name]
    if others:
        raise Refused(
            f"{where.deployment} is still there ({', '.join(others)}), and needs what is in its bucket: "
            "delete that first, with pulumi destroy"
        )
    bucket = bucket_of(cloudformation, name)
    if bucket is None:
        return f"Nothing to do: the stack {name} has no bucket."
    return f"{bucket}: {empty(where.client('s3'), bucket)} deleted."


if __name__ == "__main__":
    raise SystemExit(main())
