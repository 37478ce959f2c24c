"""List what a deployment has left in its AWS account, found by tag, stack, name, and VPC."""

import csv
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jmespath
from botocore.exceptions import BotoCoreError, ClientError

from deployment.ownership import STACK_TAG, Deployment, parse_tags, strip_wrapping
from deployment.template import list_parts

# JMESPath: where an item of a list has its state, its VPC, and its tags.
STATE = "StackStatus || State.Name || State.Code || State"
VPC = "VpcId || Attachments[0].VpcId"
TAGS = "Tags || TagSet"
# An item in one of these states needs no removal: it goes by itself.
ENDED = ("terminated", "shutting-down", "deleted", "deleting", "DELETE_COMPLETE")
# These ARNs do not contain the type.
UNTYPED = {"s3": "s3:bucket", "sns": "sns:topic"}


class Leftover(NamedTuple):
    """A resource that is left. remove: what to do about it, a command of the AWS CLI or words."""

    type: str
    id: str
    reason: str
    remove: str


class Findings(NamedTuple):
    """refusals: lists that AWS refused, each with its error. What they would show is unknown."""

    leftovers: list[Leftover]
    refusals: list[str]


class Kind(NamedTuple):
    """A row of leftovers.csv: a type of resource, how boto3 lists it, how the AWS CLI removes it.

    type: "service:type", of its ARN. service, operation: boto3's; no operation for what goes with
    another resource. items: JMESPath, of a page of the response. id, name: keys of an item. remove:
    a command to which the id is added; "" if it takes more than one command.
    """

    type: str
    service: str
    operation: str
    items: str
    id: str
    name: str
    remove: str


def read_kinds() -> list[Kind]:
    """Return all kinds, in an order of removal: each before those that it uses."""
    with Path(__file__).with_suffix(".csv").open(newline="") as file:
        return [Kind(**row) for row in csv.DictReader(file)]


def find_leftovers(client: Callable[[str], Any], deployment: str) -> Findings:
    """Return what is left of the deployment, in an order of removal.

    client: makes boto3's client of a service. Raises what boto3 raises if AWS does not even return
    the caller's identity.
    """
    search = _Search(client, Deployment(deployment))
    search.run()
    return search.findings


class _Search:
    def __init__(self, client: Callable[[str], Any], deployment: Deployment) -> None:
        self.client, self.deployment = cache(client), deployment
        self.account = self.client("sts").get_caller_identity()["Account"]
        self.findings = Findings([], [])
        self.tags: dict[str, dict[str, str]] = {}  # by ARN, as the tagging API returns them
        self.vpcs: set[str] = set()  # those of the deployment that are left

    def run(self) -> None:
        kinds = read_kinds()
        self._try("tagged resources", self._read_tags)
        self._try("VPCs", self._read_vpcs)
        for kind in kinds:
            if kind.operation:
                self._try(kind.type, partial(self._find, kind))
        # The tagging API returns a resource for a while after its removal.
        remove = "look it up: it may be gone already"
        for arn, tags in self.tags.items():
            type_, reason = _get_type(arn), self.deployment.reason("", tags)
            if reason and type_ not in [kind.type for kind in kinds]:
                self.findings.leftovers.append(Leftover(type_, arn, reason, remove))

    def _try(self, what: str, look: Callable[[], None]) -> None:
        try:
            look()
        except (BotoCoreError, ClientError) as error:
            self.findings.refusals.append(f"{what}: {error}")

    def _read_tags(self) -> None:
        tagging = self.client("resourcegroupstaggingapi").get_paginator("get_resources")
        stacks = [f"{self.deployment.name}-{part}" for part in list_parts()]
        # Other deployments' resources are read as well: their tags count more than their names.
        for tag_filter in ({"Key": "deployment"}, {"Key": STACK_TAG, "Values": stacks}):
            pages = tagging.paginate(TagFilters=[tag_filter])
            for resource in pages.search("ResourceTagMappingList[]"):
                self.tags[resource["ResourceARN"]] = parse_tags(resource["Tags"])

    def _read_vpcs(self) -> None:
        for vpc in self.client("ec2").describe_vpcs()["Vpcs"]:
            if self.deployment.reason("", parse_tags(vpc.get("Tags"))):
                self.vpcs.add(vpc["VpcId"])

    def _find(self, kind: Kind) -> None:
        for item in self._list(kind):
            identity, name = item[kind.id], item[kind.name].rpartition(":")[2]
            if jmespath.search(STATE, item) in ENDED:
                continue
            tags = parse_tags(jmespath.search(TAGS, item)) or self._get_tags(kind, identity)
            reason = self.deployment.reason(name, tags)
            vpc = jmespath.search(VPC, item)
            if not reason and "deployment" not in tags and vpc in self.vpcs:
                reason = f"it is in the VPC {vpc}"
            if reason:
                remove = self._format_removal(kind, identity, name, tags)
                self.findings.leftovers.append(Leftover(kind.type, identity, reason, remove))

    def _list(self, kind: Kind) -> Iterator[dict[str, Any]]:
        client = self.client(kind.service)
        request = {"AccountId": self.account} if kind.service == "budgets" else {}
        if client.can_paginate(kind.operation):
            pages = client.get_paginator(kind.operation).paginate(**request)
        else:
            pages = [getattr(client, kind.operation)(**request)]
        for page in pages:
            yield from jmespath.search(kind.items, page) or []

    def _get_tags(self, kind: Kind, identity: str) -> dict[str, str]:
        """Return the tags of an item that is listed without them."""
        for arn, tags in self.tags.items():
            if _get_type(arn) == kind.type and arn.endswith((identity, f"{identity}:*")):
                return tags
        if kind.service == "elbv2":
            response = self.client("elbv2").describe_tags(ResourceArns=[identity])
            return parse_tags(response["TagDescriptions"][0]["Tags"])
        # IAM returns the tags of one resource at a time, so only the project's resources are asked
        # about.
        project = self.deployment.name.partition("-")[0]
        if kind.service == "iam" and kind.id != "Arn" and identity.startswith(f"{project}-"):
            operation = f"list_{kind.type.partition(':')[2].replace('-', '_')}_tags"
            return parse_tags(getattr(self.client("iam"), operation)(**{kind.id: identity})["Tags"])
        return {}

    def _format_removal(self, kind: Kind, identity: str, name: str, tags: dict[str, str]) -> str:
        name = strip_wrapping(name)
        for leftover in self.findings.leftovers:
            stack = leftover.id
            is_of_it = tags.get(STACK_TAG) == stack or name.startswith((f"{stack}-", f"{stack}/"))
            if leftover.type == "cloudformation:stack" and is_of_it:
                return f"goes with the stack {stack}"
        if kind.remove:
            return f"aws {kind.remove} {shlex.quote(identity)}"
        return "remove it by hand, with what belongs to it"


def _get_type(arn: str) -> str:
    """Return "ec2:vpc" for arn:aws:ec2:eu-west-1:1:vpc/vpc-1."""
    _, _, service, _, _, rest = arn.split(":", 5)
    if service in UNTYPED:
        return UNTYPED[service]
    type_ = re.match("([^:/]+)[:/]", rest)
    return f"{service}:{type_[1]}" if type_ else service
