"""How the reviewer signs in, and which pages to open: an output for the deployer alone."""

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from deployment.settings import Settings
from deployment.stacks import Stack


def describe_access(
    settings: Settings,
    reviewer: Stack,
    stacks: Sequence[Stack],
    dashboard: pulumi.Output[str],
) -> pulumi.Output[dict[str, Any]]:
    """Return a user's URL, name and password (as a secret), or a role and how to assume it.

    The pages of the console come with both. The console lists stacks and dashboards only to those
    who may see all of them, but opens each one by its address.
    """
    pages = _list_pages(stacks, dashboard)
    if settings.reviewer == "role":
        role, external_id = reviewer.output("Arn"), settings.reviewer_external_id
        command = f"aws sts assume-role --role-session-name review --external-id {external_id}"
        return pulumi.Output.from_input(
            {
                "role": role,
                "externalId": external_id,
                "command": pulumi.Output.concat(command, " --role-arn ", role),
                "pages": pages,
            }
        )
    # The password is made here, so that no template, parameter or event has it. The SDK marks it as
    # a secret: the state has it encrypted. The login depends on the stack, so the engine deletes it
    # before the stack; IAM deletes no user who has a login.
    login = aws.iam.UserLoginProfile(
        "reviewer-login", user=reviewer.output("Name"), password_reset_required=True
    )
    return pulumi.Output.secret(
        {
            "url": reviewer.output("SignInUrl"),
            "user": login.user,
            "password": login.password,
            "pages": pages,
        }
    )


def _list_pages(stacks: Sequence[Stack], dashboard: pulumi.Output[str]) -> list[pulumi.Input[str]]:
    region = aws.get_region().region
    console = f"https://{region}.console.aws.amazon.com"
    ec2 = f"{console}/ec2/home?region={region}#"
    page = f"{console}/cloudformation/home?region={region}#/stacks/stackinfo?stackId="
    dashboards = f"{console}/cloudwatch/home?region={region}#dashboards/dashboard/"
    return [
        f"{ec2}LoadBalancers:",
        f"{ec2}TargetGroups:",
        f"{ec2}AutoScalingGroups:",
        f"{ec2}Instances:",
        *(pulumi.Output.concat(page, stack.id) for stack in stacks),
        pulumi.Output.concat(dashboards, dashboard),
    ]
