"""Who deploys into the local cloud: a role that may do what cfn/deployer.yaml says, made as an administrator would."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import NamedTuple

from botocore.exceptions import ClientError

from deployment.errors import UserError
from deployment.template import read
from local import stacks
from local.api import Credentials, client
from local.project import DEPLOYMENT
from local.steps import step

NAME = "deployer"  # of the stack and of the role, both outside of what the role may touch
SESSION = 12 * 3600  # seconds; the most that AWS allows


class Identity(NamedTuple):
    """credentials: of a session. boundary: ARN of the policy that says what roles of its making may do at most."""

    credentials: Credentials
    boundary: str


def deployer(endpoint: str) -> Identity:
    """Make the role and its policies, or bring them up to date, and take the role. Raises UserError."""
    with step("deployer's role, as cfn/deployer.yaml allows"):
        try:
            return _deployer(endpoint)
        except ClientError as refused:
            raise UserError(f"the deployer's role cannot be made: {refused}") from None


def _deployer(endpoint: str) -> Identity:
    cloudformation = client(endpoint, "cloudformation")
    request = {
        "StackName": NAME,
        "TemplateBody": read(NAME).body,
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": "Deployment", "ParameterValue": DEPLOYMENT}],
    }
    stacks.bring_up(cloudformation, request, "DELETE")
    outputs = stacks.outputs(cloudformation, NAME)
    iam, sts = client(endpoint, "iam"), client(endpoint, "sts")
    account = sts.get_caller_identity()["Account"]
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(_trust(account)))
    for policy in outputs["Policies"].split(","):
        iam.attach_role_policy(RoleName=NAME, PolicyArn=policy)
    session = sts.assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{NAME}",
        RoleSessionName="make-up",
        DurationSeconds=SESSION,
    )["Credentials"]
    key, secret = session["AccessKeyId"], session["SecretAccessKey"]
    return Identity(Credentials(key, secret, session["SessionToken"]), outputs["Boundary"])


def _trust(account: str) -> dict[str, object]:
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}
