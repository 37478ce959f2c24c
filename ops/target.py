"""Which deployment a question is about, and how its API is reached: the local cloud's, or with --stack that of AWS."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import boto3
import yaml

from deployment.errors import UserError
from local.api import REGION, client_of
from local.containers import DEFAULT, ROOT, Containers
from local.project import DEPLOYMENT, PROJECT, STACK


class Target(NamedTuple):
    """A deployment. `client` makes a boto3 client of a service; it raises what boto3 raises."""

    deployment: str  # what the names of its stacks begin with, and their tag `deployment`
    region: str
    client: Callable[[str], Any]

    def listed(self, service: str, operation: str, **request: Any) -> list[dict[str, Any]]:
        """All pages of what an operation lists."""
        pages = self.client(service).get_paginator(operation).paginate(**request)
        (items,) = (one for one in pages.build_full_result().values() if isinstance(one, list))
        return list(items)


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """For the command `python -m MODULE`, which is a question about a deployment."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--stack", default=os.environ.get("STACK") or STACK,
        help="of Pulumi's (default: $STACK, else %(default)s); any other than that is asked about on AWS",
    )  # fmt: skip
    parser.add_argument(
        "--name", default=os.environ.get("NAME") or DEFAULT,
        help="of the deployment in the local cloud (default: $NAME, else %(default)s)",
    )  # fmt: skip
    return parser


def target(args: argparse.Namespace) -> Target:
    """Raises UserError if it is the local cloud's, and that is not up, or if nothing tells its Region."""
    deployment = f"{PROJECT['name']}-{args.stack}"
    if args.stack == STACK:
        return local_target(Containers(args.name).endpoint(), deployment)
    session = boto3.Session()
    region = _configured_region(args.stack) or session.region_name
    if not region:
        raise UserError(
            "nothing tells the Region: export AWS_REGION=..., or pulumi config set aws:region ..."
        )
    return Target(deployment, region, partial(session.client, region_name=region))


def _configured_region(stack: str) -> str | None:
    """Where Pulumi deploys it, whatever else this machine's settings say."""
    file = ROOT / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(file.read_text()) if file.exists() else None
    region = ((content or {}).get("config") or {}).get("aws:region")
    return str(region) if region else None


def local_target(endpoint: str, deployment: str = DEPLOYMENT) -> Target:
    """A deployment behind the API at that URL."""
    return Target(deployment, REGION, client_of(endpoint))
