"""What the program declares, made through the local cloud's API: the SDK's test monitor hands it each resource.

It compares nothing itself: CloudFormation says what an update changes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from deployment.errors import UserError
from local import stacks
from local.api import ACCOUNT_ROOT, REGION, Credentials, client
from local.project import DEPLOYMENT
from local.reviewer import Logins
from local.steps import step

REFUSALS = (Boto3Error, BotoCoreError, ClientError)  # what boto3 raises


class Deployer(Mocks):
    """Creates or updates each resource as the program declares it."""

    def __init__(
        self,
        endpoint: str,
        reviewer: Mapping[str, Any] | None = None,
        credentials: Credentials = ACCOUNT_ROOT,
    ) -> None:
        """reviewer: what the run before told of it."""
        self.endpoint = endpoint
        self.credentials = credentials
        self.cloudformation = self.client("cloudformation")
        self.s3 = self.client("s3")
        self.logins = Logins(self.client("iam"), reviewer or {})
        self.stacks: set[str] = set()  # declared, as are the objects
        self.objects: set[tuple[str, str]] = set()
        self.changes = 0
        self.failure: UserError | None = None
        self.refused: UserError | None = None  # what was looked up last, and in vain
        self.one_at_a_time = threading.Lock()  # two open step lines could not be read

    def client(self, service: str) -> Any:
        return client(self.endpoint, service, self.credentials)

    # What the program declares

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        with self.one_at_a_time:
            if self.failure:  # the engine would stop at the first failure as well
                raise self.failure
            try:
                return self._made(args)
            except REFUSALS as refused:
                self.failure = UserError(f"{args.name}: {refused}")
                raise self.failure from None
            except UserError as failure:
                self.failure = failure
                raise

    def _made(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "aws:cloudformation/stack:Stack":
            return self._stack(args.inputs)
        if args.typ == "aws:s3/bucketObjectv2:BucketObjectv2":
            return self._object(args.inputs)
        if args.typ == "aws:iam/userLoginProfile:UserLoginProfile":
            return self._login(args.inputs)
        return args.name, dict(args.inputs)

    def _stack(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        name = inputs["name"]
        self.stacks.add(name)
        request = {
            "StackName": name,
            "TemplateBody": inputs["templateBody"],
            "Capabilities": inputs.get("capabilities", []),
            "Parameters": _named(inputs.get("parameters", {}), "ParameterKey", "ParameterValue"),
            "Tags": _named(inputs.get("tags", {}), "Key", "Value"),
        }
        if policy := inputs.get("policyBody"):
            request["StackPolicyBody"] = policy
        with step(f"stack {name}") as line:
            on_failure = inputs.get("onFailure", "ROLLBACK")
            line.outcome = stacks.bring_up(self.cloudformation, request, on_failure)
        self.changes += line.outcome != "unchanged"
        made = stacks.settled(self.cloudformation, name)["StackId"]
        return made, {**inputs, "outputs": stacks.outputs(self.cloudformation, name)}

    def _object(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        bucket, key = inputs["bucket"], inputs["key"]
        self.objects.add((bucket, key))
        if key not in self._keys(bucket):
            self.changes += 1
            with step(f"upload {key}"):
                self.s3.upload_file(inputs["source"].path, bucket, key)
        return key, dict(inputs)

    def _login(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        password, made = self.logins.bring_up(inputs["user"])
        self.changes += made
        return inputs["user"], {**inputs, "password": password}

    # What it looks up

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        try:
            return self._looked_up(args), []
        except (*REFUSALS, LookupError) as refused:
            # The program may live without it; if not, what it raises says less.
            self.refused = UserError(f"{args.token.split(':')[-1]}: {refused}")
            return {}, [(args.token, str(refused))]

    def _looked_up(self, args: MockCallArgs) -> dict[str, Any]:
        function = args.token.split(":")[-1]
        if function == "getParameter":
            found = self.client("ssm").get_parameter(Name=args.args["name"])["Parameter"]
            return {**args.args, "value": found["Value"]}
        if function == "getPrefixList":
            lists = self.client("ec2").describe_prefix_lists()["PrefixLists"]
            found = next(one for one in lists if one["PrefixListName"] == args.args["name"])
            return {**args.args, "id": found["PrefixListId"]}
        if function == "getRegion":
            return {"name": REGION, "region": REGION, "id": REGION}
        raise LookupError("the local cloud does not have it")

    # What it no longer declares

    def delete_undeclared(self) -> None:
        """Delete the deployment's passwords, stacks and objects that the program did not declare this time."""
        if self.credentials == ACCOUNT_ROOT:  # who may not make users has made none
            self.logins.delete_undeclared(f"/{DEPLOYMENT}-")
        # As root: an engine knows from its state what there is, and needs no permission to list all stacks.
        for name in [stack["StackName"] for stack in stacks.deployed(self.endpoint)]:
            if name not in self.stacks:
                self.changes += 1
                with step(f"stack {name}") as line:
                    stacks.delete(self.cloudformation, name)
                    line.outcome = "deleted"
        for bucket in {bucket for bucket, _ in self.objects}:
            for key in self._keys(bucket):
                if (bucket, key) not in self.objects:
                    self.s3.delete_object(Bucket=bucket, Key=key)

    def _keys(self, bucket: str) -> list[str]:
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def _named(values: dict[str, Any], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: str(content)} for name, content in sorted(values.items())]
