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
from pathlib import Path
from typing import Any

import pulumi
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_all_config, set_mocks

from deployment.inputs import Inputs
from deployment.ownership import Deployment
from deployment.settings import Settings
from local.api import REGION, client
from local.steps import CloudError, step

ROOT = Path(__file__).parent.parent
STACK = "local"
TIMEOUT = 900  # seconds for one stack
DEPLOYMENT = f"timeservice-{STACK}"  # what the names of its stacks begin with


class Deployer(Mocks):
    """Creates or updates each resource as the program declares it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.cloudformation = self.client("cloudformation")
        self.s3 = self.client("s3")
        self.stacks: list[str] = []  # declared, in order
        self.objects: set[tuple[str, str]] = set()
        self.changes = 0
        self.failure: CloudError | None = None
        self.one_at_a_time = threading.Lock()  # two open step lines could not be read

    def client(self, service: str) -> Any:
        return client(self.endpoint, service)

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
        except (BotoCoreError, ClientError) as refused:
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
            line.outcome = self._bring_up(name, request, inputs.get("onFailure", "ROLLBACK"))
        outputs = {
            one["OutputKey"]: one["OutputValue"] for one in self._settled(name).get("Outputs", [])
        }
        return self._settled(name)["StackId"], {**inputs, "outputs": outputs}

    def _bring_up(self, name: str, request: dict[str, Any], on_failure: str) -> str:
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

    # What it looks up

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        try:
            return self._looked_up(args), []
        except (BotoCoreError, ClientError, LookupError) as refused:
            return {}, [(args.token, str(refused))]

    def _looked_up(self, args: MockCallArgs) -> dict[str, Any]:
        if args.token == "aws:ssm/getParameter:getParameter":  # noqa: S105 - a function's name
            found = self.client("ssm").get_parameter(Name=args.args["name"])["Parameter"]
            return {**args.args, "value": found["Value"]}
        if args.token == "aws:ec2/getPrefixList:getPrefixList":  # noqa: S105
            lists = self.client("ec2").describe_prefix_lists()["PrefixLists"]
            found = next(one for one in lists if one["PrefixListName"] == args.args["name"])
            return {**args.args, "id": found["PrefixListId"]}
        if args.token == "aws:index/getRegion:getRegion":  # noqa: S105
            return {"name": REGION, "region": REGION, "id": REGION}
        raise LookupError("the local cloud does not have it")

    # What it no longer declares

    def delete_undeclared(self, deployment: Deployment) -> None:
        """Delete the deployment's stacks and objects that the program did not declare this time."""
        for name in self.present(deployment):
            if name not in self.stacks:
                self.changes += 1
                with step(f"stack {name}") as line:
                    self._delete(name)
                    line.outcome = "deleted"
        for bucket in {bucket for bucket, _ in self.objects}:
            for key in self._keys(bucket):
                if (bucket, key) not in self.objects:
                    self.s3.delete_object(Bucket=bucket, Key=key)

    def present(self, deployment: Deployment) -> list[str]:
        """The deployment's stacks that there are, whatever became of them."""
        found = self.cloudformation.describe_stacks()["Stacks"]
        return [one["StackName"] for one in found if deployment.owns_stack(one["StackName"])]

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
    project = _project()
    name = project["name"]
    values = {
        key: declared["default"]
        for key, declared in project["config"].items()
        if isinstance(declared, dict) and "default" in declared
    }
    chosen = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text()).get("config") or {}
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
    """The stacks that there are, as the API tells them."""
    return list(Deployer(endpoint).cloudformation.describe_stacks()["Stacks"])


def check(overrides: dict[str, str]) -> Settings:
    """The settings, or CloudError for what the program would refuse, before anything is built or started."""
    declared = _project()["config"]
    for key in overrides:
        if key not in declared:
            known = ", ".join(declared)
            raise CloudError(f"there is no setting {key!r}; those in Pulumi.yaml are: {known}")
    set_mocks(Deployer("http://nowhere.invalid"), project=_project()["name"], stack=STACK)
    set_all_config(configuration(overrides))
    try:
        return Inputs.load().settings
    except pulumi.RunError as wrong:
        raise _told(wrong) from None


def _project() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    return content


def run(endpoint: str, overrides: dict[str, str]) -> tuple[dict[str, Any], int]:
    """Run `__main__.py`; returns its exports and how many things changed. Raises CloudError with the reason."""
    deployer = Deployer(endpoint)
    exports = play(deployer, configuration(overrides))
    deployer.delete_undeclared(Deployment(DEPLOYMENT))
    return exports, deployer.changes


def play(deployer: Deployer, configuration: dict[str, str], stack: str = STACK) -> dict[str, Any]:
    """Run `__main__.py` before the deployer; returns its exports. Raises CloudError with the reason."""
    # A failure is told at the end, once; asyncio would tell it again, with a traceback, for each future that holds it.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    set_mocks(deployer, project=_project()["name"], stack=stack, preview=False)
    set_all_config(configuration)
    exports: dict[str, Any] = {}

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def program() -> Any:
        runpy.run_path(str(ROOT / "__main__.py"))
        from pulumi.runtime.settings import get_root_resource

        root = get_root_resource()
        return pulumi.Output.all(**root.outputs).apply(exports.update)  # type: ignore[union-attr]

    try:
        program()
    except Exception as trouble:
        raise deployer.failure or _told(trouble) from None
    if deployer.failure:
        raise deployer.failure
    return exports


def _told(trouble: BaseException) -> BaseException:
    """An error that the program raised for people, in its own words; anything else as it is."""
    if isinstance(trouble, pulumi.RunError):
        text = re.sub(r"pulumi config set (\w+) VALUE", r'make up CONFIG="\1=VALUE"', str(trouble))
        return CloudError(text)
    return trouble
