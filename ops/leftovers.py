"""List what is left of a deployment: `python -m ops.leftovers` (make leftovers).

It asks the AWS API by tag, by stack and by name. For the local cloud, it also looks at this
machine's Docker engine and build/. It prints each resource, the reason why it belongs to the
deployment, and the command that removes it. It removes nothing itself.

Exit codes: 0 nothing is left, 1 something is left, 2 wrong usage, 3 nothing was found, but not
everything could be listed.
"""

import argparse
import sys
from collections.abc import Sequence

from deployment import ROOT
from deployment.leftovers import Findings, find_leftovers
from local.api import is_up
from local.containers import DEFAULT, Containers
from local.project import STACK
from local.steps import get_folder
from ops.target import get_local_target, get_target, run

NOT_ALL_LISTED = 3


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.leftovers", __doc__, argv, print_leftovers)


def print_leftovers(args: argparse.Namespace) -> int:
    if args.stack == STACK:
        lines, refusals = list_on_this_machine(args.name)
    else:
        lines, refusals = list_on_aws(args)
    for line in lines:
        print(line)
    for refusal in refusals:
        print(f"cannot list {refusal}", file=sys.stderr)
    if lines:
        return 1
    if refusals:
        print("Nothing was found, but not everything could be listed.")
        return NOT_ALL_LISTED
    print("Nothing is left.")
    return 0


def list_on_aws(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return the lines to print, and what AWS refused to list."""
    target = get_target(args)
    findings = find_leftovers(target.client, target.deployment)
    if findings.leftovers:
        print(f"Left of {target.deployment} in {target.region}, in the order to remove it:")
    return format_lines(findings, f"--region {target.region}"), findings.refusals


def list_on_this_machine(name: str) -> tuple[list[str], list[str]]:
    """Return the lines to print, and what the local cloud refused to list."""
    cloud = Containers(name)
    lines = list_leftovers(cloud)
    endpoint = cloud.endpoint() if cloud.get_running("api") else ""
    if endpoint and is_up(endpoint):
        target = get_local_target(endpoint)
        print(f"{name!r} is up: {target.deployment} is deployed there, and make down removes it.")
        findings = find_leftovers(target.client, target.deployment)
        return lines + format_lines(findings, f"--endpoint-url {endpoint}"), findings.refusals
    if lines:
        print(f"Left of {name!r}:")
    return lines, []


def list_leftovers(cloud: Containers) -> list[str]:
    """Return for each thing what it is, why it is the deployment's, and what removes it."""
    down = "make down" if cloud.name == DEFAULT else f"NAME={cloud.name} make down"
    owner = cloud.owner()
    if owner not in (None, str(ROOT)):
        down = f"{down} (in the clone {owner}, which owns it)"
    lines = [
        f"  {item}: its label names this deployment\n      {down}" for item in cloud.leftovers()
    ]
    folder = get_folder(cloud.name)
    if folder.exists():
        lines.append(f"  folder {folder}: make up writes it\n      {down}")
    return lines


def format_lines(findings: Findings, options: str) -> list[str]:
    """Return two lines for each resource. options: of the AWS CLI, the Region or the endpoint."""
    lines = []
    for resource in findings.leftovers:
        lines.append(f"  {resource.type} {resource.id}: {resource.reason}")
        remove = resource.remove
        if remove.startswith("aws "):
            remove = f"aws {options} {remove.removeprefix('aws ')}"
        lines.append(f"      {remove}")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
