"""What of a deployment its AWS API still has: asked by tag and by name, each with why it is the deployment's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jmespath
from botocore.exceptions import BotoCoreError, ClientError

from deployment.ownership import STACK_TAG, Deployment, pairs, parts, unwrapped
from ops.leftovers import inside
from ops.leftovers.found import Left, Remains
from ops.leftovers.kinds import ENDED, KINDS, Kind

Client = Callable[[str], Any]
# Kinds that are listed without tags -> the question for them, and what it is asked about.
TAGGED = {
    "role": ("list_role_tags", "RoleName"),
    "user": ("list_user_tags", "UserName"),
    "instance profile": ("list_instance_profile_tags", "InstanceProfileName"),
}


def find(client: Client, deployment: str) -> Remains:
    """Ask for everything of KINDS. Raises what boto3 raises if not even the caller's identity can be told."""
    return _Search(client, Deployment(deployment)).all()


class _Search:
    def __init__(self, client: Client, deployment: Deployment) -> None:
        self.client, self.deployment = cache(client), deployment
        self.account = self.client("sts").get_caller_identity()["Account"]
        self.left: list[Left] = []
        self.unasked: list[str] = []
        self.stacks: list[str] = []  # ours, that are left
        self.vpcs: set[str] = set()  # ours
        # By ARN, the tags of all that has one of those asked for.
        self.tagged: dict[str, dict[str, str]] = {}

    def all(self) -> Remains:
        self._ask("what is tagged", self._read_tags)
        self._ask("VPCs", self._read_vpcs)
        for kind in KINDS:
            self._ask(f"each {kind.name}", lambda kind=kind: self._find(kind))  # type: ignore[misc]
        self._others()
        return Remains(self.left, self.unasked)

    def _ask(self, what: str, question: Callable[[], None]) -> None:
        try:
            question()
        except (BotoCoreError, ClientError) as refused:
            self.unasked.append(f"{what}: {refused}")

    def _read_tags(self) -> None:
        tagging = self.client("resourcegroupstaggingapi").get_paginator("get_resources")
        mine = [f"{self.deployment.name}-{part}" for part in sorted(parts())]
        for wanted in ({"Key": "deployment"}, {"Key": STACK_TAG, "Values": mine}):
            for page in tagging.paginate(TagFilters=[wanted]):
                for one in page["ResourceTagMappingList"]:
                    self.tagged[one["ResourceARN"]] = pairs(one["Tags"])

    def _read_vpcs(self) -> None:
        (kind,) = (kind for kind in KINDS if kind.name == "VPC")
        for vpc in self._listed(kind):
            if self.deployment.reason("", pairs(vpc.get("Tags"))):
                self.vpcs.add(vpc["VpcId"])

    def _find(self, kind: Kind) -> None:
        for item in self._listed(kind):
            identity = str(jmespath.search(kind.id, item))
            state = _text(kind.state, item)
            if state in ENDED:
                continue
            name = (_text(kind.called, item) or identity).rpartition(":")[2]
            tags = pairs(jmespath.search(kind.tags, item)) or self._tags(kind, identity)
            vpc = _text(kind.vpc, item)
            why = self._reason(name, tags, vpc)
            if not why:
                continue
            words = {"id": identity, "vpc": vpc, "account": self.account}
            removal = self._goes_with(name, tags) or kind.remove.format(
                **{key: shlex.quote(word) for key, word in words.items()}
            )
            if kind.name == "stack":
                self.stacks.append(identity)
            elif kind.name == "bucket":
                self.left += inside.of_bucket(self.client("s3"), identity, why)
            elif kind.name == "role" and removal.startswith("aws"):
                self.left += inside.of_role(self.client("iam"), identity, why)
            self.left.append(Left(kind.name, identity, why, removal, state))

    def _listed(self, kind: Kind) -> Iterator[dict[str, Any]]:
        client, options = self.client(kind.service), dict(kind.options)
        if "AccountId" in options:
            options["AccountId"] = self.account
        if client.can_paginate(kind.operation):
            pages = client.get_paginator(kind.operation).paginate(**options)
        else:
            pages = [getattr(client, kind.operation)(**options)]
        for page in pages:
            yield from jmespath.search(kind.listed, page) or []

    def _reason(self, name: str, tags: dict[str, str], vpc: str) -> str:
        if why := self.deployment.reason(name, tags):
            return why
        return f"it is in the VPC {vpc}" if vpc in self.vpcs and "deployment" not in tags else ""

    def _tags(self, kind: Kind, identity: str) -> dict[str, str]:
        """The tags of what is listed without them."""
        for arn, tags in self.tagged.items():
            if _type(arn) in kind.arns.split() and arn.endswith((identity, f"{identity}:*")):
                return tags
        client = self.client(kind.service)
        if kind.service == "elbv2":
            (told,) = client.describe_tags(ResourceArns=[identity])["TagDescriptions"]
            return pairs(told["Tags"])
        # Asked for each, so of the project's alone.
        project = self.deployment.name.partition("-")[0]
        if kind.name in TAGGED and identity.startswith(f"{project}-"):
            operation, option = TAGGED[kind.name]
            return pairs(getattr(client, operation)(**{option: identity})["Tags"])
        return {}

    def _goes_with(self, name: str, tags: dict[str, str]) -> str:
        """In words, with which stack it goes; "" if with none."""
        name = unwrapped(name)
        for stack in self.stacks:
            if tags.get(STACK_TAG) == stack or name.startswith((f"{stack}-", f"{stack}/")):
                return f"goes with the stack {stack}"
        return ""

    def _others(self) -> None:
        """What is tagged, and of a kind that nothing above lists. Of those that are listed above, what is not there
        any more has gone: the tagging API goes on naming it for a while."""
        known = {arn for kind in KINDS for arn in kind.arns.split()}
        for arn, tags in self.tagged.items():
            if _type(arn) not in known and (why := self.deployment.reason("", tags)):
                self.left.append(Left("resource", arn, why, "may have gone already: look it up"))


def _text(path: str, item: dict[str, Any]) -> str:
    found = jmespath.search(path, item) if path else None
    return found if isinstance(found, str) else ""


def _type(arn: str) -> str:
    """arn:aws:ec2:eu-west-1:1:vpc/vpc-1 -> ec2:vpc; "s3:" and "sns:", whose ARNs name no type."""
    _, _, service, _, _, rest = arn.split(":", 5)
    named = re.match(r"([^/:]+)[/:]", rest)
    return f"{service}:{named[1] if named and service not in ('s3', 'sns') else ''}"
