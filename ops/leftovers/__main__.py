"""What is left of a deployment: `python -m ops.leftovers` (through make leftovers).

Asks the AWS API by tag and by name; of the local cloud also this machine's Docker engine, processes, mounts and build/.
Names what it finds, why that is the deployment's, and the command that removes it. It removes nothing itself.

Exit codes: 0 nothing is left, 1 something is, 2 wrong usage, 3 not everything could be asked, and nothing was found.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from deployment.errors import UserError
from local.project import STACK
from ops.leftovers import aws
from ops.leftovers.found import Remains
from ops.leftovers.machine import Traces
from ops.target import Target, local_target, parser, target


def main(argv: Sequence[str] | None = None) -> int:
    args = parser("ops.leftovers", __doc__).parse_args(argv)
    try:
        left, unasked = on_this_machine(args.name) if args.stack == STACK else on_aws(target(args))
    except (UserError, BotoCoreError) as trouble:  # such as a profile that there is not
        print(f"error: {trouble}", file=sys.stderr)
        return 3
    for line in left:
        print(line)
    for line in unasked:
        print(f"could not ask for {line}", file=sys.stderr)
    if left:
        return 1
    print("Nothing is left." if not unasked else "Nothing was found, but not everything was asked.")
    return 3 if unasked else 0


def on_aws(where: Target) -> tuple[list[str], list[str]]:
    found = ask(where)
    if found.left:
        print(f"Of {where.deployment} in {where.region} there is still, in the order to remove it:")
    return told(found, f"aws --region {where.region}"), found.unasked


def on_this_machine(name: str) -> tuple[list[str], list[str]]:
    traces = Traces(name)
    left, unasked = traces.all(), traces.unasked
    if endpoint := traces.endpoint():
        where = local_target(endpoint)
        print(f"{name!r} is up: {where.deployment} is deployed there, and make down removes it.")
        found = ask(where)
        return left + told(found, f"aws --endpoint-url {endpoint}"), unasked + found.unasked
    if left:
        print(f"Of {name!r} there is still:")
    return left, unasked


def ask(where: Target) -> Remains:
    """Raises UserError if AWS does not answer at all."""
    try:
        return aws.find(where.client, where.deployment)
    except (BotoCoreError, ClientError) as refused:
        raise UserError(f"AWS cannot be asked: {refused}") from None


def told(found: Remains, command: str) -> list[str]:
    """Lines for people. command: aws and its options, with the Region or the endpoint."""
    lines = []
    for one in found.left:
        state = f" ({one.state})" if one.state else ""
        remove = re.sub(r"(^|&& |; )aws ", rf"\1{command} ", one.remove)
        lines.append(f"  {one.kind} {one.id}{state}: {one.why}\n      {remove}")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
