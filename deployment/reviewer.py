"""How the reviewer gets in, and where to: what is told to whoever deploys, and to nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from deployment.settings import Settings

Pages = list[pulumi.Input[str]]


def access(
    settings: Settings,
    reviewer: aws.cloudformation.Stack,
    stacks: Sequence[aws.cloudformation.Stack],
    dashboard: pulumi.Output[str],
) -> pulumi.Output[dict[str, Any]]:
    """A user's URL, name and password, as a secret, or a role and how it is assumed; with pages of the console.

    The console lists no stacks and no dashboards to who may not see all of them, but opens one that is asked for.
    """
    pages = _pages(stacks, dashboard)
    if settings.reviewer == "role":
        return _role(reviewer.outputs["Arn"], settings.reviewer_external_id, pages)
    # Here, and not in the template, so that the password stands in no template, parameter or event. The SDK marks it
    # as a secret: it is encrypted in the state. What depends on the stack is deleted before it, and so is this, without
    # which the user could not be deleted.
    login = aws.iam.UserLoginProfile(
        "reviewer-login", user=reviewer.outputs["Name"], password_reset_required=True
    )
    return pulumi.Output.secret(
        {
            "url": reviewer.outputs["SignInUrl"],
            "user": login.user,
            "password": login.password,
            "pages": pages,
        }
    )


def _role(role: pulumi.Output[str], external_id: str, pages: Pages) -> pulumi.Output[Any]:
    command = "aws sts assume-role --role-session-name review"
    return pulumi.Output.from_input(
        {
            "role": role,
            "externalId": external_id,
            "command": pulumi.Output.concat(
                f"{command} --external-id {external_id} --role-arn ", role
            ),
            "pages": pages,
        }
    )


def _pages(stacks: Sequence[aws.cloudformation.Stack], dashboard: pulumi.Output[str]) -> Pages:
    region = aws.get_region().region
    console = f"https://{region}.console.aws.amazon.com"
    lists = [
        f"{console}/ec2/home?region={region}#{page}:"
        for page in ("LoadBalancers", "TargetGroups", "AutoScalingGroups", "Instances")
    ]
    one_by_one = [
        pulumi.Output.concat(console, path, f"/home?region={region}#", begin, what)
        for path, begin, found in (
            ("/cloudformation", "/stacks/stackinfo?stackId=", [stack.id for stack in stacks]),
            ("/cloudwatch", "dashboards/dashboard/", [dashboard]),
        )
        for what in found
    ]
    return [*lists, *one_by_one]
