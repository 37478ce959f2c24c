"""How what is deployed differs from what this clone says: `python -m audit.drift` (through make drift).

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

from audit import declared, deployed
from audit.compare import Difference
from audit.deployed import Drift, Findings
from audit.emulator import SHORT_NAME, excused
from audit.expected import Resolver
from audit.target import Target, parser, target
from deployment.ownership import Deployment
from deployment.template import BadTemplate
from local.files import SETTINGS, files
from local.program import play
from local.project import STACK, configuration
from local.steps import CloudError

AT_REST = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def main(argv: Sequence[str] | None = None) -> int:
    args = parser("audit.drift", __doc__).parse_args(argv)
    try:
        settings = files(args.name) / SETTINGS
        overrides = (
            json.loads(settings.read_text()) if args.stack == STACK and settings.exists() else {}
        )
        found = look(target(args), args.stack, overrides)
    except (CloudError, BadTemplate) as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return 3
    except (BotoCoreError, ClientError) as refused:
        print(f"error: the deployment cannot be asked: {refused}", file=sys.stderr)
        return 3
    tell(found)
    return 1 if found.drifts else 0


def look(where: Target, stack: str, overrides: dict[str, str]) -> Findings:
    """overrides: settings, as `make up` was given them. Raises CloudError, BadTemplate, and what boto3 raises."""
    client, deployment = cache(where.client), Deployment(where.deployment)
    present = deployed.stacks(client, where.region, deployment)
    if not present:
        raise CloudError(
            f"nothing of {where.deployment} is deployed in {where.region or 'no Region'}"
        )
    local = stack == STACK
    zones = client("ec2").describe_availability_zones()["AvailabilityZones"]
    drifts: list[Drift] = []
    unchecked: list[str] = []
    try:
        program = declared.Declared(client, where.region, present)
        settings = configuration({**overrides, "quotaCheck": "false"}, stack, where.region)
        play(program, settings, stack)
        inputs = program.inputs
    except Exception as trouble:  # whatever keeps the program from running keeps nothing else
        inputs = {}
        unchecked.append(f"parameters, and which stacks there should be: {trouble}")
    drifts += declared.compared(deployment, present, inputs)
    for one in present:
        if one.status not in AT_REST:
            drifts.append(Drift(one.name, "", Difference("/(status)", "at rest", one.status)))
        resolver = Resolver(
            one, [zone["ZoneName"] for zone in zones], SHORT_NAME if local else ("", "")
        )
        findings = of_stack(client, resolver, local)
        drifts += findings.drifts
        unchecked += [f"{one.name}: {what}" for what in findings.unchecked]
    return Findings(drifts, unchecked)


def of_stack(client: Any, resolver: Resolver, local: bool) -> Findings:
    """What CloudFormation finds and what we do, each difference once."""
    stack = resolver.stack
    told = deployed.detected(client("cloudformation"), stack)
    seen = {(one.logical_id, top(one)) for one in told.drifts}
    ours = deployed.compared(client, resolver)
    drifts, unchecked = list(told.drifts), told.unchecked + ours.unchecked
    for one in ours.drifts:
        if local and excused(one, stack.types.get(one.logical_id, "")):
            what = f"{one.logical_id} {one.difference.path.strip('/')}".strip()
            unchecked.append(f"{what}, which the emulator does not keep")
        elif (one.logical_id, top(one)) not in seen:
            drifts.append(one)
    return Findings(drifts, unchecked)


def top(drift: Drift) -> str:
    """The property that a difference is in."""
    return drift.difference.path.strip("/").split("/")[0]


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
