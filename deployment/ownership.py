"""What belongs to a deployment, told by its tags, and by the names that CloudFormation makes from its stacks' names.

Exact, as what is taken for the deployment's own may be deleted: `timeservice-prod` owns nothing of
`timeservice-production`, and nothing of a deployment that is called `timeservice-prod-network`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from deployment.release import DIGEST_LENGTH
from deployment.template import FOLDER, PARTS

STACK_TAG = "aws:cloudformation:stack-name"
GROUP_TAG = "aws:autoscaling:groupName"
# What AWS puts around a name of ours: of a log group that Lambda made, of the alarms of a target tracking policy.
WRAPPED = re.compile(
    r"/aws/(?:lambda|cloudformation)/(?P<log>.+)|TargetTracking-(?P<group>.+)-Alarm(?:High|Low)-.+"
)


class Deployment(NamedTuple):
    """name: what the names of its stacks begin with, and the value of their tag `deployment`: <project>-<stack>."""

    name: str

    @property
    def _stack(self) -> str:
        variants = (rf"hosts-[0-9a-f]{{{DIGEST_LENGTH}}}", "reviewer-user", "reviewer-role")
        return f"{re.escape(self.name)}-(?:{'|'.join([*variants, *sorted(parts())])})"

    def owns_stack(self, name: str) -> bool:
        return re.fullmatch(self._stack, name) is not None

    def stacks(self, cloudformation: Any) -> list[dict[str, Any]]:
        """Its stacks that there are, as the API describes them. Raises what boto3 raises."""
        pages = cloudformation.get_paginator("describe_stacks").paginate()
        every = [one for page in pages for one in page["Stacks"]]
        return [one for one in every if self.owns_stack(one["StackName"])]

    def owns_name(self, name: str) -> bool:
        """A resource's: a stack's name, or what CloudFormation makes of one, a logical id and a suffix of its own."""
        # A part's name in the place of the logical id: a stack of another deployment, whose name begins alike.
        another = f"(?:{'|'.join(sorted(parts()))})"
        made = rf"[-/](?!{another}(?:-|$))[A-Za-z0-9]+(?:-[A-Za-z0-9]+)?"
        return re.fullmatch(f"{self._stack}(?:{made})?", unwrapped(name)) is not None

    def reason(self, name: str, tags: Mapping[str, str]) -> str:
        """Why a resource is the deployment's; "" if it is not, as far as can be told. Tags say more than a name."""
        if (told := tags.get("deployment")) is not None:
            return f"its tag deployment is {told}" if told == self.name else ""
        if (told := tags.get(STACK_TAG)) is not None:
            return f"its stack was {told}" if self.owns_stack(told) else ""
        if self.owns_name(group := tags.get(GROUP_TAG, "")):
            return f"the group {group} launched it"
        if self.owns_stack(told := tags.get("Name", "")):
            return f"its tag Name is {told}"  # what the launch template gives to hosts and volumes
        return "its name is made from a stack's" if self.owns_name(name) else ""


def pairs(listed: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags or attributes, by their keys: AWS lists them as {Key, Value} each."""
    return {one["Key"]: one["Value"] for one in listed or ()}


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """A stack's outputs, by their names, from how the API describes it."""
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


def unwrapped(name: str) -> str:
    wrapped = WRAPPED.fullmatch(name)
    return wrapped["log"] or wrapped["group"] if wrapped else name


def parts() -> set[str]:
    """Those that the program deploys, and those that are deployed alone."""
    return {path.stem for path in FOLDER.glob("*.yaml")}.union(PARTS)
