"""A MiniStack of its own that enforces IAM, to make identities in and to make calls with them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import requests

from deployment.template import read_template
from tests.cfn.permissions.evaluators import Identity
from tests.support.waiting import PATIENCE

REGION = "us-east-1"
ACCOUNT = "000000000000"


class Emulator:
    """Starts at once; `stop` ends it."""

    def __init__(self, log: Path) -> None:
        self.tags: dict[str, str] = {}  # the tags of each stack that it makes
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "localhost",
            "IOT_MTLS_ENABLED": "0",  # one more port, which no test needs
        }
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local.cloud.api"],
                env=os.environ | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait(log)
        except BaseException:
            self.stop()
            raise

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                requests.get(f"{self.url}/_ministack/health", timeout=60)
                return
            except requests.RequestException:
                time.sleep(0.05)
        raise RuntimeError(f"MiniStack does not start: {log.read_text()}")

    def stop(self) -> None:
        self.process.kill()  # on SIGTERM it would wait for a running function
        self.process.wait()

    def client(self, service: str, credentials: dict[str, str] | None = None) -> Any:
        """credentials: as IAM or STS return them; None: the account's root."""
        keys = credentials or {"AccessKeyId": "test", "SecretAccessKey": "test"}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
        )

    def deploy(self, stack: str, part: str, **parameters: str) -> dict[str, str]:
        """Make a stack from cfn/<part>.yaml; returns its outputs."""
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=stack,
            TemplateBody=read_template(part).body,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Tags=[{"Key": key, "Value": value} for key, value in self.tags.items()],
        )
        while True:
            (description,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
            if not description["StackStatus"].endswith("_IN_PROGRESS"):
                break
            time.sleep(0.02)
        assert description["StackStatus"] == "CREATE_COMPLETE", description.get("StackStatusReason")
        return {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}

    def identity(self, arn: str) -> Identity:
        """A user or a role as it was made, with all of its policies and its boundary."""
        iam = self.client("iam")
        kind, name = arn.split(":")[5].split("/")[0], arn.split("/")[-1]
        named = {f"{kind.capitalize()}Name": name}
        description = getattr(iam, f"get_{kind}")(**named)[kind.capitalize()]
        inline = getattr(iam, f"list_{kind}_policies")(**named)["PolicyNames"]
        attached = getattr(iam, f"list_attached_{kind}_policies")(**named)["AttachedPolicies"]
        boundary = description.get("PermissionsBoundary")
        return Identity(
            arn,
            [
                *(
                    getattr(iam, f"get_{kind}_policy")(**named, PolicyName=name)["PolicyDocument"]
                    for name in inline
                ),
                *(self._document(policy["PolicyArn"]) for policy in attached),
            ],
            boundary and self._document(boundary["PermissionsBoundaryArn"]),
        )

    def _document(self, arn: str) -> Any:
        iam = self.client("iam")
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        description = iam.get_policy_version(PolicyArn=arn, VersionId=version)
        return description["PolicyVersion"]["Document"]
