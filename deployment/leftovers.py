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

from deployment.bucket import list_objects, list_uploads
from deployment.ownership import STACK_TAG, Deployment, parse_tags, parts, strip_wrapping

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
    state: str = ""


class Findings(NamedTuple):
    """refusals: lists that AWS refused, each with its error. What they would show is unknown."""

    leftovers: list[Leftover]
    refusals: list[str]


class Kind(NamedTuple):
    """A row of leftovers.csv: a type of resource, how boto3 lists it, how the AWS CLI removes it.

    type: "service:type", of its ARN. operation: boto3's; "" for what goes with another resource.
    items: JMESPath, of a page of the response. id, name: keys of an item. remove: a command to
    which the id is added; "" if it takes more than one command.
    """

    type: str
    operation: str
    items: str
    id: str
    name: str
    remove: str

    @property
    def service(self) -> str:
        """Return boto3's name of the service."""
        service = self.type.partition(":")[0]
        return "elbv2" if service == "elasticloadbalancing" else service


def read_kinds() -> list[Kind]:
    """Return all kinds, in an order of removal: each before those that it uses."""
    with Path(__file__).with_suffix(".csv").open(newline="") as file:
        return [Kind(**row) for row in csv.DictReader(file)]


def find_leftovers(client: Callable[[str], Any], deployment: str) -> Findings:
    """Return what is left of the deployment, in an order of removal.

    client: makes boto3's client of a service. Raises what boto3 raises if AWS does not even return
    the caller's identity.
    """
    return _Search(client, Deployment(deployment)).run()


class _Search:
    def __init__(self, client: Callable[[str], Any], deployment: Deployment) -> None:
        self.client, self.deployment = cache(client), deployment
        account = self.client("sts").get_caller_identity()["Account"]
        self.requests: dict[str, dict[str, Any]] = {
            "describe_budgets": {"AccountId": account},
            "describe_snapshots": {"OwnerIds": ["self"]},
            "list_policies": {"Scope": "Local"},
        }
        self.kinds = read_kinds()
        self.findings = Findings([], [])
        self.tags: dict[str, dict[str, str]] = {}  # by ARN, of all that the tagging API returns
        self.stacks: list[str] = []  # of the deployment, that are left
        self.vpcs: set[str] = set()  # of the deployment, that are left

    def run(self) -> Findings:
        self._try("tagged resources", self._read_tags)
        self._try("VPCs", self._read_vpcs)
        for kind in self.kinds:
            if kind.operation:
                self._try(kind.type, partial(self._find, kind))
        self._find_others()
        return self.findings

    def _try(self, what: str, look: Callable[[], None]) -> None:
        try:
            look()
        except (BotoCoreError, ClientError) as error:
            self.findings.refusals.append(f"{what}: {error}")

    def _read_tags(self) -> None:
        tagging = self.client("resourcegroupstaggingapi").get_paginator("get_resources")
        stacks = [f"{self.deployment.name}-{part}" for part in sorted(parts())]
        # Other deployments' resources are read as well: their tags count more than their names.
        for tag_filter in ({"Key": "deployment"}, {"Key": STACK_TAG, "Values": stacks}):
            for page in tagging.paginate(TagFilters=[tag_filter]):
                for resource in page["ResourceTagMappingList"]:
                    self.tags[resource["ResourceARN"]] = parse_tags(resource["Tags"])

    def _read_vpcs(self) -> None:
        for vpc in self.client("ec2").describe_vpcs()["Vpcs"]:
            if self.deployment.reason("", parse_tags(vpc.get("Tags"))):
                self.vpcs.add(vpc["VpcId"])

    def _find(self, kind: Kind) -> None:
        for item in self._list(kind):
            identity, name = item[kind.id], item[kind.name].rpartition(":")[2]
            state = jmespath.search(STATE, item) or ""
            if state in ENDED:
                continue
            tags = parse_tags(jmespath.search(TAGS, item)) or self._get_tags(kind, identity)
            reason = self._get_reason(name, tags, jmespath.search(VPC, item))
            if not reason:
                continue
            if kind.type == "cloudformation:stack":
                self.stacks.append(identity)
            if kind.type == "s3:bucket":
                s3 = self.client("s3")
                number = len(list_objects(s3, identity)) + len(list_uploads(s3, identity))
                state = f"holds {number} object versions and unfinished uploads"
            remove = self._format_removal(kind, identity, name, tags)
            self.findings.leftovers.append(Leftover(kind.type, identity, reason, remove, state))

    def _list(self, kind: Kind) -> Iterator[dict[str, Any]]:
        client, request = self.client(kind.service), self.requests.get(kind.operation, {})
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
            request = {"ResourceArns": [identity]}
            (description,) = self.client("elbv2").describe_tags(**request)["TagDescriptions"]
            return parse_tags(description["Tags"])
        # IAM returns them only of one resource at a time, so of the project's alone.
        project = self.deployment.name.partition("-")[0]
        if kind.service == "iam" and kind.id != "Arn" and identity.startswith(f"{project}-"):
            operation = f"list_{kind.type.partition(':')[2].replace('-', '_')}_tags"
            return parse_tags(getattr(self.client("iam"), operation)(**{kind.id: identity})["Tags"])
        return {}

    def _get_reason(self, name: str, tags: dict[str, str], vpc: str | None) -> str:
        """Return why the resource is the deployment's, or an empty text if it is not."""
        if reason := self.deployment.reason(name, tags):
            return reason
        return f"it is in the VPC {vpc}" if vpc in self.vpcs and "deployment" not in tags else ""

    def _format_removal(self, kind: Kind, identity: str, name: str, tags: dict[str, str]) -> str:
        name = strip_wrapping(name)
        for stack in self.stacks:
            if tags.get(STACK_TAG) == stack or name.startswith((f"{stack}-", f"{stack}/")):
                return f"goes with the stack {stack}"
        if kind.remove:
            return f"aws {kind.remove} {shlex.quote(identity)}"
        return "remove it by hand, with what belongs to it"

    def _find_others(self) -> None:
        """Find what is tagged, of a type without a list here.

        The tagging API goes on returning a resource for a while after its removal.
        """
        known = {kind.type for kind in self.kinds}
        for arn, tags in self.tags.items():
            kind = _get_type(arn)
            if kind not in known and (reason := self.deployment.reason("", tags)):
                remove = "look it up: it may be gone already"
                self.findings.leftovers.append(Leftover(kind, arn, reason, remove))


def _get_type(arn: str) -> str:
    """Return "ec2:vpc" for arn:aws:ec2:eu-west-1:1:vpc/vpc-1."""
    _, _, service, _, _, rest = arn.split(":", 5)
    if service in UNTYPED:
        return UNTYPED[service]
    type_ = re.match("([^:/]+)[:/]", rest)
    return f"{service}:{type_[1]}" if type_ else service
