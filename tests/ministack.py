"""The local cloud's AWS API as a process of its own, and the templates deployed into it: no Docker, a second or two."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import requests

from audit.target import Target
from bench.deployment import free_port
from deployment.template import read
from local.api import REGION

SESSION = boto3.Session()  # one for all: it keeps what it has read of the services' descriptions


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """The URL of an API that ends with the block."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    settings = {"BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    settings |= {"MINISTACK_REGION": REGION, "IOT_MTLS_ENABLED": "0", "TMPDIR": str(folder)}
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "ministack"]
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)  # noqa: S603
        try:
            _wait(url, process)
            yield url
        finally:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(requests.ConnectionError):
            requests.get(f"{url}/_ministack/health", timeout=5).raise_for_status()
            return
        time.sleep(0.05)
    raise RuntimeError("MiniStack does not start; its words are in the test's folder")


class Deployment:
    """The five stacks of the templates, in an account of their own: `account` is what keeps them from others."""

    def __init__(self, url: str, account: int) -> None:
        @functools.cache
        def client(service: str) -> Any:
            return SESSION.client(
                service,
                endpoint_url=url,
                region_name=REGION,
                aws_access_key_id=f"{account:012}",
                aws_secret_access_key="test",  # noqa: S106 - the emulator takes any key
            )

        self.target = Target("timeservice-local", REGION, client)
        self.outputs: dict[str, str] = {"Release": "r1", "ImageKey": "images/1.tar.gz"}
        self.outputs["ArtifactsBucket"] = self._stack("artifacts")["Bucket"]
        lists = self.client("ec2").describe_prefix_lists()["PrefixLists"]
        self.outputs["S3PrefixList"] = next(
            one["PrefixListId"] for one in lists if one["PrefixListName"] == f"com.amazonaws.{REGION}.s3"
        )  # fmt: skip
        key = self.outputs["PackageKey"] = "healthcheck/1.zip"
        self.client("s3").put_object(Bucket=self.outputs["ArtifactsBucket"], Key=key, Body=b"")
        for part in ("network", "balancer", "hosts", "healthcheck"):
            self.outputs |= self._stack(part)

    def client(self, service: str) -> Any:
        return self.target.client(service)

    def _stack(self, part: str) -> dict[str, str]:
        """Make cfn/<part>.yaml from the outputs of those before it; returns its own."""
        template, cloudformation = read(part), self.client("cloudformation")
        name = f"{self.target.deployment}-{part}"
        given = {key: self.outputs[key] for key in template.parameters if key in self.outputs}
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=template.body,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": given[key]} for key in given],
            Tags=[{"Key": "deployment", "Value": self.target.deployment}],
        )
        while True:
            (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                break
            self._signal(name)
            time.sleep(0.01)
        if stack["StackStatus"] != "CREATE_COMPLETE":
            raise RuntimeError(f"{name}: {stack['StackStatus']}")
        return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}

    def _signal(self, stack: str) -> None:
        """What two hosts would say, to a wait condition that waits for them."""
        resources = self.client("cloudformation").describe_stack_resources(StackName=stack)
        for one in resources["StackResources"]:
            if one["ResourceType"] == "AWS::CloudFormation::WaitConditionHandle":
                for host in ("i-1", "i-2"):
                    said = {"Status": "SUCCESS", "UniqueId": host, "Data": "", "Reason": ""}
                    requests.put(one["PhysicalResourceId"], data=json.dumps(said), timeout=5)
