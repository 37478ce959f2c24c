"""Recognise what belongs to a deployment, by its tags and by the names of its stacks.

The rules are exact, because what belongs to the deployment may be deleted: `timeservice-prod` owns
nothing of `timeservice-production`, and nothing of a deployment `timeservice-prod-network`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from deployment.release import DIGEST_LENGTH
from deployment.template import list_parts

STACK_TAG = "aws:cloudformation:stack-name"
GROUP_TAG = "aws:autoscaling:groupName"
# The state of a stack that a change set would create. It has no resources.
REVIEW = "REVIEW_IN_PROGRESS"
# AWS puts this around our names: in the log groups that Lambda makes, and in the alarms of a target
# tracking policy.
WRAPPED = re.compile(
    r"/aws/(?:lambda|cloudformation)/(?P<log>.+)"
    r"|TargetTracking-(?P<group>.+)-Alarm(?:High|Low)-.+"
)


class Deployment(NamedTuple):
    """name: <project>-<stack>, with which its stacks begin. Their tag `deployment` is the same."""

    name: str

    @property
    def _stack(self) -> str:
        """Return a regular expression for the names of its stacks."""
        variants = (rf"hosts-[0-9a-f]{{{DIGEST_LENGTH}}}", "reviewer-user", "reviewer-role")
        return f"{re.escape(self.name)}-(?:{'|'.join([*variants, *list_parts()])})"

    def owns_stack(self, name: str) -> bool:
        return re.fullmatch(self._stack, name) is not None

    def list_stacks(self, cloudformation: Any) -> list[dict[str, Any]]:
        """Return its stacks, the oldest first, as the API describes them.

        The deployer may list the names of all stacks, and describe only its own. Raises what boto3
        raises.
        """
        summaries = (
            cloudformation.get_paginator("list_stacks").paginate().search("StackSummaries[]")
        )
        stacks = [
            find_stack(cloudformation, summary["StackId"])
            for summary in summaries
            if summary["StackStatus"] != "DELETE_COMPLETE" and self.owns_stack(summary["StackName"])
        ]
        owned = [stack for stack in stacks if stack and self.owns(stack)]
        return sorted(owned, key=lambda stack: stack["CreationTime"])

    def owns_name(self, name: str) -> bool:
        """Return whether a resource's name is a stack's, or made from it by CloudFormation.

        CloudFormation adds the logical id and a suffix of its own to the name of the stack.
        """
        # A part's name instead of a logical id shows that the stack is another deployment's.
        another = f"(?:{'|'.join(list_parts())})"
        addition = rf"[-/](?!{another}(?:-|$))[A-Za-z0-9]+(?:-[A-Za-z0-9]+)?"
        return re.fullmatch(f"{self._stack}(?:{addition})?", strip_wrapping(name)) is not None

    def owns(self, stack: Mapping[str, Any]) -> bool:
        """Return whether a stack, as the API describes it, is the deployment's."""
        return bool(self.reason(stack["StackName"], parse_tags(stack.get("Tags"))))

    def reason(self, name: str, tags: Mapping[str, str]) -> str:
        """Return why a resource is the deployment's, "" if not. Tags count before names."""
        if "deployment" in tags:
            owner = tags["deployment"]
            return f"its tag deployment is {owner}" if owner == self.name else ""
        if STACK_TAG in tags:
            stack = tags[STACK_TAG]
            return f"its stack was {stack}" if self.owns_stack(stack) else ""
        group = tags.get(GROUP_TAG, "")
        if self.owns_name(group):
            return f"the group {group} launched it"
        # The launch template gives this tag to hosts and volumes.
        label = tags.get("Name", "")
        if self.owns_stack(label):
            return f"its tag Name is {label}"
        return "its name is made from a stack's" if self.owns_name(name) else ""


def find_stack(cloudformation: Any, name: str) -> dict[str, Any]:
    """Return the stack of that name, as the API describes it; {} if there is none.

    A request for all stacks needs a permission that the deployer lacks. Raises what boto3 raises.
    """
    try:
        stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return {}
        raise
    return {} if stack["StackStatus"] == "DELETE_COMPLETE" else stack


def is_busy(stack: Mapping[str, Any]) -> bool:
    """Return whether CloudFormation is changing a stack, as the API describes it."""
    status = str(stack["StackStatus"])
    return status.endswith("_IN_PROGRESS") and status != REVIEW


def parse_tags(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return the values of tags by their keys. AWS lists {Key, Value} of each."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a stack's outputs by their names, from the API's description of it."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def parameters_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a stack's parameters by their names, from its description."""
    return {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}


def strip_wrapping(name: str) -> str:
    wrapped = WRAPPED.fullmatch(name)
    return wrapped["log"] or wrapped["group"] if wrapped else name
