"""Compare Pulumi's state with CloudFormation. They differ after an update that was cut off."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pulumi
from botocore.exceptions import BotoCoreError, ClientError

from deployment import ROOT
from deployment.account import get_account
from deployment.errors import UserError
from deployment.ownership import Deployment, is_busy
from deployment.settings import Settings, check_unchanged, list_config
from deployment.stacks import get_deployment_name

STACK = "aws:cloudformation/stack:Stack"
PULUMI = "https://www.pulumi.com/docs/install/"


class Comparison(NamedTuple):
    """busy: names of stacks that CloudFormation is changing. gone: names that Pulumi alone has.

    untracked: stacks that CloudFormation alone has, the oldest first, as its API describes them.
    """

    busy: list[str]
    untracked: list[dict[str, Any]]
    gone: list[str]

    def __str__(self) -> str:
        untracked = [stack["StackName"] for stack in self.untracked]
        lines = [
            *(f"CloudFormation is still changing {name}" for name in self.busy),
            *(f"CloudFormation has {name}, and Pulumi's state lacks it" for name in untracked),
            *(f"Pulumi's state has {name}, and CloudFormation lacks it" for name in self.gone),
        ]
        return "\n".join(lines)


def run_pulumi(
    *arguments: str, check: bool = True, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run the pulumi CLI. Raises UserError if it is missing, or if it fails and `check` is true."""
    command = ["pulumi", *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, text=True, check=check, **options)
    except FileNotFoundError:
        raise UserError(f"the pulumi CLI is missing: install it from {PULUMI}") from None
    except subprocess.CalledProcessError as error:
        reason = f": {error.stderr.strip()}" if error.stderr else ""
        raise UserError(f"{' '.join(command)} failed{reason}") from None


def export_state(stack: str) -> dict[str, Any]:
    """Return the state of a stack, with its secrets encrypted. Raises UserError."""
    done = run_pulumi(
        "stack", "export", "--stack", stack, stdin=subprocess.DEVNULL, capture_output=True
    )
    return dict(json.loads(done.stdout))


def list_resources(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the resources in Pulumi's state, each after those that it depends on."""
    return list((state.get("deployment") or {}).get("resources") or [])


def compare(state: Mapping[str, Any], stacks: Iterable[dict[str, Any]]) -> Comparison:
    """Compare Pulumi's state with the deployment's stacks that CloudFormation has."""
    tracked = {
        resource["id"]: resource["inputs"]["name"]
        for resource in list_resources(state)
        if resource["type"] == STACK
    }
    # An administrator makes the deployer's stack, without Pulumi.
    made = [stack for stack in stacks if not stack["StackName"].endswith("-deployer")]
    present = {stack["StackId"]: stack for stack in made}
    return Comparison(
        [stack["StackName"] for stack in present.values() if is_busy(stack)],
        [stack for identity, stack in present.items() if identity not in tracked],
        [name for identity, name in tracked.items() if identity not in present],
    )


def check_state(settings: Settings) -> None:
    """Refuse to go on where Pulumi would collide with CloudFormation. Raises UserError."""
    # make up runs the program without an engine, so there is no state.
    if pulumi.Config("local").get_bool("withoutEngine"):
        return
    try:
        account = get_account(list_config())
        stacks = Deployment(get_deployment_name()).list_stacks(account.client("cloudformation"))
        state = export_state(
            f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
        )
    except (UserError, BotoCoreError, ClientError) as error:
        pulumi.log.warn(f"Pulumi's state could not be compared with CloudFormation: {error}")
        return
    if fault := find_fault(compare(state, stacks), list_resources(state), pulumi.get_stack()):
        raise UserError(fault)
    check_unchanged(settings, stacks)


def find_fault(comparison: Comparison, resources: list[dict[str, Any]], stack: str) -> str | None:
    """Return why an update of the Pulumi stack would collide, and the remedy, or None."""
    if not any(comparison):
        return None
    if stack == "local" and not any(resource["type"] == STACK for resource in resources):
        remedy = "It was deployed by make up, without Pulumi. Run: make down && make cloud"
    elif comparison.busy or comparison.untracked:
        remedy = f"An update was interrupted. Run: make repair STACK={stack}"
    else:
        # `pulumi up --refresh` would be refused too: its preview discards the refreshed state.
        commands = f"pulumi refresh --stack {stack} && pulumi up --stack {stack}"
        remedy = f"A creation failed, or a stack was deleted. Run: {commands}"
    return f"{comparison}\n{remedy}"
