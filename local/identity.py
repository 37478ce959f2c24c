"""The deployer of the local cloud: a role with the policies of cfn/deployer.yaml."""

import json
from contextlib import suppress

from deployment.ownership import outputs_of
from deployment.template import read
from local import stacks
from local.api import Credentials, client
from local.project import DEPLOYMENT

# The stack and the role have this name. Neither is something that the role may change.
NAME = "deployer"
SESSION = 12 * 3600  # seconds, the most that AWS allows


def assume_deployer(endpoint: str) -> tuple[Credentials, str]:
    """Create or update the role as an administrator would, and assume it.

    Returns its credentials, and the ARN of the boundary of the roles that it creates.
    Raises UserError, and what boto3 raises.
    """
    cloudformation = client(endpoint, "cloudformation")
    request = {
        "StackName": NAME,
        "TemplateBody": read(NAME).body,
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": "Deployment", "ParameterValue": DEPLOYMENT}],
    }
    stacks.bring_up(cloudformation, request)
    outputs = outputs_of(stacks.wait_until_settled(cloudformation, NAME))
    iam, sts = client(endpoint, "iam"), client(endpoint, "sts")
    account = sts.get_caller_identity()["Account"]
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(trust))
    for policy in outputs["Policies"].split(","):
        iam.attach_role_policy(RoleName=NAME, PolicyArn=policy)
    session = sts.assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{NAME}",
        RoleSessionName="make-up",
        DurationSeconds=SESSION,
    )["Credentials"]
    key, secret = session["AccessKeyId"], session["SecretAccessKey"]
    return Credentials(key, secret, session["SessionToken"]), outputs["Boundary"]
