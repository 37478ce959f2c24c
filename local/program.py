"""Runs the Pulumi program in-process against the local cloud's API, for machines without the pulumi CLI.

The SDK's own test monitor stands in for the engine: it hands each resource of `__main__.py` to `Deployer`, which
creates or updates it through boto3. It is a way to run the program, not an engine: it compares nothing itself
(CloudFormation says what an update changes), and deletes what the program no longer declares at the end.
"""

from __future__ import annotations

import logging
import re
import runpy
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_all_config, set_mocks

from deployment.inputs import Inputs
from deployment.ownership import Deployment
from deployment.settings import Settings
from local.api import REGION, ROOT, Credentials, client
from local.reviewer import Logins
from local.steps import CloudError, step

FOLDER = Path(__file__).parent.parent
PROJECT: dict[str, Any] = yaml.safe_load((FOLDER / "Pulumi.yaml").read_text())
STACK = "local"
DEPLOYMENT = f"{PROJECT['name']}-{STACK}"  # what the names of its stacks begin with
TIMEOUT = 900  # seconds for one stack
REFUSALS = (Boto3Error, BotoCoreError, ClientError)  # what boto3 raises


class Deployer(Mocks):
    """Creates or updates each resource as the program declares it."""

    def __init__(
        self,
        endpoint: str,
        reviewer: Mapping[str, Any] | None = None,
        credentials: Credentials = ROOT,
    ) -> None:
        """reviewer: what the run before told of it."""
        self.endpoint = endpoint
        self.credentials = credentials
        self.cloudformation = self.client("cloudformation")
        self.s3 = self.client("s3")
        self.logins = Logins(self.client("iam"), reviewer or {})
        self.stacks: list[str] = []  # declared, in order
        self.objects: set[tuple[str, str]] = set()
        self.changes = 0
        self.failure: CloudError | None = None
        self.refused: CloudError | None = None  # what was looked up last, and in vain
        self.one_at_a_time = threading.Lock()  # two open step lines could not be read

    def client(self, service: str) -> Any:
        return client(self.endpoint, service, self.credentials)

    # What the program declares

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        with self.one_at_a_time:
            return self._made(args)

    def _made(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if self.failure:  # the engine would stop at the first failure as well
            raise self.failure
        try:
            if args.typ == "aws:cloudformation/stack:Stack":
                return self._stack(args.inputs)
            if args.typ == "aws:s3/bucketObjectv2:BucketObjectv2":
                return self._object(args.inputs)
            if args.typ == "aws:iam/userLoginProfile:UserLoginProfile":
                return self._login(args.inputs)
        except REFUSALS as refused:
            self.failure = CloudError(f"{args.name}: {refused}")
            raise self.failure from None
        except CloudError as failure:
            self.failure = failure
            raise
        return args.name, dict(args.inputs)

    def _stack(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        name = inputs["name"]
        self.stacks.append(name)
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
            line.outcome = self.bring_up(request, inputs.get("onFailure", "ROLLBACK"))
        return self._settled(name)["StackId"], {**inputs, "outputs": self.outputs(name)}

    def outputs(self, name: str) -> dict[str, str]:
        told = self._settled(name).get("Outputs", [])
        return {one["OutputKey"]: one["OutputValue"] for one in told}

    def bring_up(self, request: dict[str, Any], on_failure: str) -> str:
        """Create or update a stack and wait for it; returns what was done. Raises CloudError, and what boto3 raises."""
        name = request["StackName"]
        present = self._settled(name)
        if present and present["StackStatus"] in (
            "CREATE_FAILED",
            "ROLLBACK_COMPLETE",
            "DELETE_FAILED",
        ):
            self._delete(name)  # a leftover of a run that was cut off
            present = {}
        if not present:
            self.changes += 1
            stack_id = self.cloudformation.create_stack(**request, OnFailure=on_failure)["StackId"]
            self._check(stack_id, "CREATE_COMPLETE")
            return "created"
        try:
            self.cloudformation.update_stack(**request)
        except ClientError as refused:
            if "No updates are to be performed" in str(refused):
                return "unchanged"
            raise
        self.changes += 1
        self._check(present["StackId"], "UPDATE_COMPLETE")
        return "updated"

    def _settled(self, name: str) -> dict[str, Any]:
        """The stack once it is at rest; {} if there is none."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            try:
                stack: dict[str, Any] = self.cloudformation.describe_stacks(StackName=name)[
                    "Stacks"
                ][0]
            except ClientError as refused:
                if "does not exist" in str(refused):
                    return {}
                raise
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return {} if stack["StackStatus"] == "DELETE_COMPLETE" else stack
            time.sleep(0.2)
        raise CloudError(f"stack {name} did not come to rest within {TIMEOUT} s")

    def _check(self, stack_id: str, expected: str) -> None:
        stack = self._settled(stack_id)
        if stack and stack["StackStatus"] == expected:
            return
        events = self.cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        first = failed[-1] if failed else {}
        name = stack_id.split("/")[1] if "/" in stack_id else stack_id
        raise CloudError(
            f"stack {name} failed and was rolled back: {first.get('LogicalResourceId', '?')}: "
            f"{first.get('ResourceStatusReason', 'no reason given')}\n"
            "What stood before stands still. Mend the cause and run make up again."
        )

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
            self.refused = CloudError(f"{args.token.split(':')[-1]}: {refused}")
            return {}, [(args.token, str(refused))]

    def _looked_up(self, args: MockCallArgs) -> dict[str, Any]:
        if args.token == "aws:ssm/getParameter:getParameter":  # noqa: S105 - a function's name
            found = self.client("ssm").get_parameter(Name=args.args["name"])["Parameter"]
            return {**args.args, "value": found["Value"]}
        if args.token == "aws:ec2/getPrefixList:getPrefixList":  # noqa: S105 - a function's name
            lists = self.client("ec2").describe_prefix_lists()["PrefixLists"]
            found = next(one for one in lists if one["PrefixListName"] == args.args["name"])
            return {**args.args, "id": found["PrefixListId"]}
        if args.token == "aws:index/getRegion:getRegion":  # noqa: S105 - a function's name
            return {"name": REGION, "region": REGION, "id": REGION}
        raise LookupError("the local cloud does not have it")

    # What it no longer declares

    def delete_undeclared(self) -> None:
        """Delete the deployment's passwords, stacks and objects that the program did not declare this time."""
        if self.credentials == ROOT:  # who may not make users has made none
            self.logins.delete_undeclared(f"/{DEPLOYMENT}-")
        # An engine knows from its state what there is, and needs no permission to list all stacks.
        for name in [stack["StackName"] for stack in stacks(self.endpoint)]:
            if name not in self.stacks:
                self.changes += 1
                with step(f"stack {name}") as line:
                    self._delete(name)
                    line.outcome = "deleted"
        for bucket in {bucket for bucket, _ in self.objects}:
            for key in self._keys(bucket):
                if (bucket, key) not in self.objects:
                    self.s3.delete_object(Bucket=bucket, Key=key)

    def _delete(self, name: str) -> None:
        self.cloudformation.delete_stack(StackName=name)
        if self._settled(name):
            raise CloudError(f"stack {name} could not be deleted")

    def _keys(self, bucket: str) -> list[str]:
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def _named(values: dict[str, Any], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: str(content)} for name, content in sorted(values.items())]


def configuration(
    overrides: dict[str, str], stack: str = STACK, region: str = REGION
) -> dict[str, str]:
    """The project's configuration: the defaults in Pulumi.yaml, then Pulumi.<stack>.yaml, then `overrides`."""
    name = PROJECT["name"]
    values = {
        key: declared["default"]
        for key, declared in PROJECT["config"].items()
        if isinstance(declared, dict) and "default" in declared
    }
    chosen = yaml.safe_load((FOLDER / f"Pulumi.{stack}.yaml").read_text()).get("config") or {}
    values |= {
        key.removeprefix(f"{name}:"): value
        for key, value in chosen.items()
        if key.startswith(f"{name}:")
    }
    values |= overrides
    return {
        key if ":" in key else f"{name}:{key}": value
        if isinstance(value, str)
        else str(value).lower()
        for key, value in values.items()
    } | {"aws:region": region}


def stacks(endpoint: str) -> list[dict[str, Any]]:
    """The deployment's stacks, as the API tells them."""
    found = Deployer(endpoint).cloudformation.describe_stacks()["Stacks"]
    return [one for one in found if Deployment(DEPLOYMENT).owns_stack(one["StackName"])]


def check(overrides: dict[str, str]) -> Settings:
    """The settings, or CloudError for what the program would refuse, before anything is built or started."""
    _configure(overrides)
    try:
        found = Inputs.load().settings
    except pulumi.RunError as wrong:
        raise _told(wrong) from None
    if found.budget:
        raise CloudError(
            f"configuration timeservice:budget is {found.budget}, and the local cloud has no AWS Budgets (it costs "
            "nothing either). Leave it out here; it is for AWS: pulumi config set budget DOLLARS"
        )
    return found


def settings(overrides: dict[str, str]) -> Settings:
    """As check, for those who deploy nothing: without a look at the archives."""
    _configure(overrides)
    try:
        return Settings.load()
    except pulumi.RunError as wrong:
        raise _told(wrong) from None


def _configure(overrides: dict[str, str]) -> None:
    declared = PROJECT["config"]
    for key in overrides:
        if key not in declared:
            known = ", ".join(declared)
            raise CloudError(f"there is no setting {key!r}; those in Pulumi.yaml are: {known}")
    set_mocks(Deployer("http://nowhere.invalid"), project=PROJECT["name"], stack=STACK)
    set_all_config(configuration(overrides))


def run(
    endpoint: str,
    overrides: dict[str, str],
    reviewer: Mapping[str, Any] | None = None,
    credentials: Credentials = ROOT,
) -> tuple[dict[str, Any], int]:
    """Run `__main__.py`; returns its exports and how many things changed. Raises CloudError with the reason.

    reviewer: what the run before exported of it.
    """
    deployer = Deployer(endpoint, reviewer, credentials)
    exports = play(deployer, configuration(overrides))
    try:
        deployer.delete_undeclared()
    except REFUSALS as refused:
        raise CloudError(f"what is no longer declared cannot be deleted: {refused}") from None
    return exports, deployer.changes


def play(deployer: Deployer, configuration: dict[str, str], stack: str = STACK) -> dict[str, Any]:
    """Run `__main__.py` before the deployer; returns its exports. Raises CloudError with the reason."""
    # A failure is told at the end, once; asyncio would tell it again, with a traceback, for each future that holds it.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    set_mocks(deployer, project=PROJECT["name"], stack=stack, preview=False)
    set_all_config(configuration)
    exports: dict[str, Any] = {}

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def program() -> Any:
        from pulumi.runtime.settings import get_root_resource

        outputs = get_root_resource().outputs  # type: ignore[union-attr]
        outputs.clear()  # the root is one for all runs in a process
        runpy.run_path(str(FOLDER / "__main__.py"))
        return pulumi.Output.all(**outputs).apply(exports.update)

    try:
        program()
    except Exception as trouble:
        told = _told(trouble)
        raise deployer.failure or (
            told if isinstance(told, CloudError) else deployer.refused or told
        ) from None
    if deployer.failure:
        raise deployer.failure
    return exports


def _told(trouble: BaseException) -> BaseException:
    """An error that the program raised for people, in its own words; anything else as it is."""
    if isinstance(trouble, pulumi.RunError):
        text = re.sub(r"pulumi config set (\w+) VALUE", r'make up CONFIG="\1=VALUE"', str(trouble))
        return CloudError(text)
    return trouble
