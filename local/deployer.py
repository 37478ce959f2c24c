"""Create what the program declares, through the local cloud's API, in the deployer's role.

The SDK's test monitor hands over each resource. CloudFormation finds out what an update changes.
"""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from deployment.errors import UserError
from deployment.ownership import outputs_of, parse_tags
from deployment.template import read_template
from local import stacks
from local.api import ACCOUNT_ROOT, REFUSALS, Credentials, client
from local.project import DEPLOYMENT
from local.reviewer import delete_passwords, make_password
from local.steps import step

# The deployer's stack and role have this name. Neither is something that the role may change.
DEPLOYER = "deployer"
# Seconds of the deployer's session, the most that AWS allows.
SESSION = 12 * 3600


def assume_deployer(endpoint: str) -> tuple[Credentials, str]:
    """Create or update the role of cfn/deployer.yaml as an administrator would, and assume it.

    Returns its credentials, and the ARN of the boundary of the roles that it creates.
    Raises UserError, and what boto3 raises.
    """
    request = {
        "StackName": DEPLOYER,
        "TemplateBody": read_template(DEPLOYER).body,
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": "Deployment", "ParameterValue": DEPLOYMENT}],
    }
    _, stack = stacks.bring_up(client(endpoint, "cloudformation"), request)
    outputs = outputs_of(stack)
    iam, sts = client(endpoint, "iam"), client(endpoint, "sts")
    account = sts.get_caller_identity()["Account"]
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=DEPLOYER, AssumeRolePolicyDocument=json.dumps(trust))
    for policy in outputs["Policies"].split(","):
        iam.attach_role_policy(RoleName=DEPLOYER, PolicyArn=policy)
    session = sts.assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{DEPLOYER}",
        RoleSessionName="make-up",
        DurationSeconds=SESSION,
    )["Credentials"]
    key, secret = session["AccessKeyId"], session["SecretAccessKey"]
    return Credentials(key, secret, session["SessionToken"]), outputs["Boundary"]


class LookUps(Mocks):
    """A provider for the program's look-ups. client: makes boto3's client of a service.

    failure: what ended the run.
    """

    failure: Exception | None = None

    def __init__(self, client: Callable[[str], Any]) -> None:
        self.client = client

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Return what a look-up of the program finds, or why there is nothing."""
        function = args.token.split(":")[-1]
        if function == "getParameter":
            parameter = self.client("ssm").get_parameter(Name=args.args["name"])["Parameter"]
            return {**args.args, "value": parameter["Value"]}, []
        if function == "getPrefixList":
            lists = self.client("ec2").describe_prefix_lists()["PrefixLists"]
            (found,) = [item for item in lists if item["PrefixListName"] == args.args["name"]]
            return {**args.args, "id": found["PrefixListId"]}, []
        if function == "getRegion":
            region = self.client("ssm").meta.region_name
            return {"name": region, "region": region, "id": region}, []
        return {}, [(args.token, "the local cloud does not have it")]


class Deployer(LookUps):
    """A provider for the program's few types of resources too."""

    def __init__(
        self,
        endpoint: str,
        reviewer: Mapping[str, Any] | None = None,
        credentials: Credentials = ACCOUNT_ROOT,
        watch: Callable[[], str] = lambda: "",
    ) -> None:
        """reviewer: the export `reviewer` of the last run. watch: returns what hosts are doing."""
        super().__init__(partial(client, endpoint, credentials=credentials))
        self.endpoint = endpoint
        self.credentials = credentials
        self.watch = watch
        self.cloudformation = self.client("cloudformation")
        self.s3 = self.client("s3")
        self.iam = self.client("iam")
        self.reviewer = reviewer or {}
        # What the program has declared so far: users, stacks, and (bucket, key) of objects.
        self.users: set[str] = set()
        self.stacks: set[str] = set()
        self.objects: set[tuple[str, str]] = set()
        self.changes = 0
        # The SDK declares resources in threads, and step lines must not mix.
        self.lock = threading.Lock()

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Create or update a resource; return its id and its outputs. Raises UserError."""
        with self.lock:
            if self.failure:
                # Stop at the first failure, as the engine does.
                raise self.failure
            try:
                return self._bring_up(args)
            except (UserError, *REFUSALS) as error:
                self.failure = error
                raise

    def _bring_up(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "aws:cloudformation/stack:Stack":
            return self._bring_up_stack(args.inputs)
        if args.typ == "aws:s3/bucketObjectv2:BucketObjectv2":
            return self._upload(args.inputs)
        if args.typ == "aws:iam/userLoginProfile:UserLoginProfile":
            return self._bring_up_login(args.inputs)
        return args.name, dict(args.inputs)

    def _bring_up_stack(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        name = inputs["name"]
        self.stacks.add(name)
        minutes = int(inputs["timeoutInMinutes"])
        with step(f"stack {name}", self.watch) as line:
            present = stacks.wait_until_settled(self.cloudformation, name, minutes)
            # The mock monitor does not receive ignore_changes, so the deployed tags are kept here.
            if present.get("StackStatus") == "CREATE_COMPLETE" and "commit" in inputs["tags"]:
                inputs = {**inputs, "tags": parse_tags(present.get("Tags"))}
            request = {
                "StackName": name,
                "TemplateBody": inputs["templateBody"],
                "Capabilities": inputs.get("capabilities", []),
                "Parameters": _list_pairs(
                    inputs.get("parameters", {}), "ParameterKey", "ParameterValue"
                ),
                "Tags": _list_pairs(inputs.get("tags", {}), "Key", "Value"),
            }
            if policy := inputs.get("policyBody"):
                request["StackPolicyBody"] = policy
            line.outcome, stack = stacks.bring_up(self.cloudformation, request, minutes)
        if line.outcome != "unchanged":
            self.changes += 1
        return stack["StackId"], {**inputs, "outputs": outputs_of(stack)}

    def _upload(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        bucket, key = inputs["bucket"], inputs["key"]
        self.objects.add((bucket, key))
        if key not in self._list_keys(bucket):
            self.changes += 1
            with step(f"upload {key}"):
                self.s3.upload_file(inputs["source"].path, bucket, key)
        return key, dict(inputs)

    def _bring_up_login(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        user = inputs["user"]
        self.users.add(user)
        password, is_new = make_password(self.iam, user, self.reviewer)
        if is_new:
            self.changes += 1
        return user, {**inputs, "password": password}

    def delete_undeclared(self) -> None:
        """Delete the deployment's passwords, stacks and objects that this run did not declare."""
        if self.credentials == ACCOUNT_ROOT:
            # Nobody else may make users.
            delete_passwords(self.iam, DEPLOYMENT, self.users)
        # List them as root: pulumi knows the stacks from its state, and needs no permission for
        # that.
        for name in [stack["StackName"] for stack in stacks.list_stacks(self.endpoint)]:
            if name not in self.stacks:
                self.changes += 1
                with step(f"stack {name}") as line:
                    stacks.delete(self.cloudformation, name)
                    line.outcome = "deleted"
        for bucket in {bucket for bucket, _ in self.objects}:
            for key in self._list_keys(bucket):
                if (bucket, key) not in self.objects:
                    self.s3.delete_object(Bucket=bucket, Key=key)

    def _list_keys(self, bucket: str) -> list[str]:
        response = self.s3.list_objects_v2(Bucket=bucket)
        return [item["Key"] for item in response.get("Contents", [])]


def _list_pairs(values: dict[str, Any], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: str(content)} for name, content in sorted(values.items())]
