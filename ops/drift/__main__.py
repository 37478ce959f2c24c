"""How what is deployed differs from what this clone says: `python -m ops.drift` (through make drift).

Three comparisons: the deployed templates and parameters with those of this clone, CloudFormation's own drift detection,
and what the API tells of each resource with what its template says, as CloudFormation does not look at all of it. What
Auto Scaling changes by itself is none. What could not be compared is named.

Exit codes: 0 no difference, 1 some, 2 wrong usage, 3 nothing is deployed, or it cannot be asked.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deployment.errors import UserError
from deployment.ownership import Deployment
from deployment.template import BadTemplate
from local.program import play
from local.project import STACK, configuration
from local.steps import SETTINGS, get_folder
from ops.drift import resources
from ops.drift.compare import Difference
from ops.drift.declared import Declared, Inputs, compared
from ops.drift.detected import detected
from ops.drift.emulator import SHORT_NAME, excused
from ops.drift.findings import Drift, Findings
from ops.drift.resolver import Resolver
from ops.drift.stacks import Stack, stacks
from ops.target import Target, parser, target

AT_REST = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def main(argv: Sequence[str] | None = None) -> int:
    args = parser("ops.drift", __doc__).parse_args(argv)
    try:
        settings = get_folder(args.name) / SETTINGS
        overrides = (
            json.loads(settings.read_text()) if args.stack == STACK and settings.exists() else {}
        )
        found = look(target(args), args.stack, overrides)
    except (UserError, BadTemplate) as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return 3
    except (BotoCoreError, ClientError) as refused:
        print(f"error: the deployment cannot be asked: {refused}", file=sys.stderr)
        return 3
    tell(found)
    return 1 if found.drifts else 0


def look(where: Target, stack: str, overrides: dict[str, str]) -> Findings:
    """overrides: settings, as `make up` was given them. Raises UserError, BadTemplate, and what boto3 raises."""
    client, deployment = cache(where.client), Deployment(where.deployment)
    present = stacks(client, where.region, deployment)
    if not present:
        raise UserError(
            f"nothing of {where.deployment} is deployed in {where.region or 'no Region'}"
        )
    found = Findings([], [])
    try:
        inputs = _inputs(Declared(client, where.region, present), stack, overrides)
    except Exception as trouble:  # whatever keeps the program from running keeps nothing else
        inputs = {}
        found.unchecked.append(f"parameters, and which stacks there should be: {trouble}")
    found.drifts.extend(compared(deployment, present, inputs))
    zones = client("ec2").describe_availability_zones()["AvailabilityZones"]
    for one in present:
        if one.status not in AT_REST:
            found.drifts.append(Drift(one.name, "", Difference("/(status)", "at rest", one.status)))
        of_this = of_stack(client, one, [zone["ZoneName"] for zone in zones], stack == STACK)
        found.drifts.extend(of_this.drifts)
        found.unchecked.extend(f"{one.name}: {what}" for what in of_this.unchecked)
    return found


def _inputs(program: Declared, stack: str, overrides: dict[str, str]) -> Inputs:
    """What the program would deploy; raises whatever keeps it from running."""
    play(program, configuration({**overrides, "quotaCheck": "false"}, stack, program.region), stack)
    return program.inputs


def of_stack(client: Any, stack: Stack, zones: list[str], local: bool) -> Findings:
    """What CloudFormation finds and what we do, each difference once."""
    told = detected(client("cloudformation"), stack.name)
    seen = {(one.logical_id, one.top) for one in told.drifts}
    resolver = Resolver(stack, zones, SHORT_NAME if local else ("", ""))
    ours = resources.compared(client, resolver)
    drifts, unchecked = list(told.drifts), told.unchecked + ours.unchecked
    for one in ours.drifts:
        if local and excused(one, stack.types.get(one.logical_id, "")):
            what = f"{one.logical_id} {one.difference.path.strip('/')}".strip()
            unchecked.append(f"{what}, which the emulator does not keep")
        elif (one.logical_id, one.top) not in seen:
            drifts.append(one)
    return Findings(drifts, unchecked)


def tell(found: Findings) -> None:
    for stack, logical_id, (path, expected, actual) in found.drifts:
        print(f"{stack} {logical_id or 'the stack'} {path.lstrip('/')}".rstrip())
        print(f"    should be  {text(expected)}\n    is         {text(actual)}")
    for one in found.unchecked:
        print(f"not checked: {one}")
    number = len(found.drifts)
    print(f"{number or 'No'} difference{'' if number == 1 else 's'}.")


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


if __name__ == "__main__":
    raise SystemExit(main())
