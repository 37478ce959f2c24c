"""The deployment that a command is about: in the local cloud, or with --stack on AWS."""

import argparse
import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from deployment import ROOT
from deployment.account import RENEW, get_account
from deployment.errors import UserError
from deployment.ownership import Deployment
from local.api import REGION, client_of
from local.containers import DEFAULT, Containers
from local.project import DEPLOYMENT, PROJECT, STACK, parse_name, read_config
from local.steps import LOCAL_API, RETRY, run_command


class Target(NamedTuple):
    """A deployment and its API.

    deployment: the beginning of its stacks' names, and the value of its tag `deployment`. client:
    makes boto3's client of a service.
    """

    deployment: str
    region: str
    client: Callable[[str], Any]

    def list_all(self, service: str, operation: str, **request: Any) -> list[dict[str, Any]]:
        """Return the items on all pages of a response. Raises what boto3 raises."""
        pages = self.client(service).get_paginator(operation).paginate(**request)
        (items,) = pages.result_key_iters()
        return list(items)

    def get_template(self, stack: str) -> str:
        """Return the template of a stack. Raises what boto3 raises."""
        body = self.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
        # boto3 parses a template in JSON.
        return body if isinstance(body, str) else json.dumps(body)

    def find_stacks(self) -> dict[str, dict[str, Any]]:
        """Return the deployment's stacks by name, as the API describes them.

        Raises UserError if there are none, and what boto3 raises.
        """
        found = Deployment(self.deployment).list_stacks(self.client("cloudformation"))
        stacks = {stack["StackName"]: stack for stack in found}
        if not stacks:
            raise UserError(
                f"nothing of {self.deployment} is deployed in {self.region}. Deploy it, or name "
                "another stack (STACK=) or Region (pulumi config set aws:region, or AWS_REGION=)"
            )
        return stacks


def parse_stack(text: str) -> str:
    """Return the name of a Pulumi stack. Raises ArgumentTypeError."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a stack: give 1 to 100 letters, digits, dots, underscores and hyphens"
        )
    return text


def run(
    module: str,
    description: str | None,
    argv: Sequence[str] | None,
    command: Callable[[argparse.Namespace], int],
    needs_stack: bool = False,
) -> int:
    """Run a command with the arguments that all commands share, and return its exit code.

    needs_stack: whether the user must name the stack, because the command changes it or asks AWS.
    The exit code is 2 for wrong usage, 3 for an error that keeps the command from a result, and 130
    after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    default, otherwise = (None, "") if needs_stack else (STACK, f", else {STACK}")
    stack, name = os.environ.get("STACK") or default, os.environ.get("NAME") or DEFAULT
    stack_help = f"stack of Pulumi's; all but {STACK} are on AWS (default: $STACK{otherwise})"
    parser.add_argument("--stack", type=parse_stack, default=stack, help=stack_help)
    name_help = f"deployment in the local cloud (default: $NAME, else {DEFAULT})"
    parser.add_argument("--name", type=parse_name, default=name, help=name_help)
    args = parser.parse_args(argv)
    if not args.stack:
        parser.error(f"name the stack: make {module.removeprefix('ops.')} STACK=prod")
    api, remedy = "requests to AWS fail", f". {RENEW}"
    if args.stack == STACK:
        api, remedy = LOCAL_API, RETRY
    return run_command(lambda: command(args), 3, api, remedy)


def get_target(args: argparse.Namespace) -> Target:
    """Return the deployment that the arguments name.

    Raises UserError if the local cloud is not up, or if no Region is configured.
    """
    if args.stack == STACK:
        return get_local_target(Containers(args.name).endpoint())
    has_file = (ROOT / f"Pulumi.{args.stack}.yaml").exists()
    config = read_config(args.stack) if has_file else {}
    region, client = get_account(config)
    return Target(f"{PROJECT['name']}-{args.stack}", region, client)


def get_local_target(endpoint: str) -> Target:
    return Target(DEPLOYMENT, REGION, client_of(endpoint))
