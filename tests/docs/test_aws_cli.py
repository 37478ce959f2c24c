"""The AWS CLI deploys and removes everything by docs/aws-cli.md, against the local cloud's API."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.cfn.permissions.emulator import Emulator
from tests.cfn.permissions.signals import hosts_signal
from tests.support.documented import ROOT, list_commands
from tests.support.templates import TEMPLATES
from tests.support.tools import fail_without

pytestmark = pytest.mark.integration
TOOLS = ROOT / "build/tools/bin"
# The bucket's policy refuses plain HTTP, which is what the emulator speaks. A waiter of the AWS CLI
# sleeps for 5 to 30 s between two requests, and the emulator needs less.
AWS = f"""#!{TOOLS}/python
import sys
import time
from awscli.clidriver import create_clidriver
driver = create_clidriver()
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.5))
def claim_tls(request, **_):
    request.headers["X-Forwarded-Proto"] = "https"
driver.session.register("before-sign.s3", claim_tls)
sys.exit(driver.main())
"""
# Archives are made elsewhere, and the emulator's CloudFormation has no budgets.
BUDGET = ("aws cloudformation deploy --stack-name timeservice-cli-budget", "remove budget")
LEFT_OUT = ("make ", *BUDGET)
COMMANDS = [command.text for command in list_commands(ROOT / "docs/aws-cli.md")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone's templates, stand-ins for its archives, and the AWS CLI."""
    (tmp_path / "cfn").symlink_to(ROOT / "cfn")
    (tmp_path / "build").mkdir()
    (tmp_path / "build/image-x86_64.tar.gz").write_bytes(b"an image")
    with zipfile.ZipFile(tmp_path / "build/healthcheck.zip", "w") as package:
        package.writestr("healthcheck/handler.py", "def handler(event, context): return 'OK'\n")
    (tmp_path / "aws").write_text(AWS)
    (tmp_path / "aws").chmod(0o755)
    return tmp_path


def run(commands: list[str], folder: Path, url: str) -> str:
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_ENDPOINT_URL": url,
        "PATH": f"{folder}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euc", "\n".join(commands)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commands_deploy_everything_and_leave_nothing(folder: Path, tmp_path: Path) -> None:
    if not (TOOLS / "aws").exists():
        fail_without("the AWS CLI in build/tools", "scripts/tools.sh scanners")
    commands = [command for command in COMMANDS if not command.startswith(LEFT_OUT)]
    removal = next(index for index, text in enumerate(commands) if text.startswith("remove()"))
    emulator = Emulator(tmp_path / "log")
    try:
        cloudformation = emulator.client("cloudformation")

        def list_stacks() -> set[str]:
            stacks = cloudformation.describe_stacks()["Stacks"]
            assert {stack["StackStatus"] for stack in stacks} <= {"CREATE_COMPLETE"}
            return {stack["StackName"].removeprefix("timeservice-cli-") for stack in stacks}

        with hosts_signal(emulator):
            deployed = [*commands[:removal], 'echo "release $RELEASE"']
            *output, release = run(deployed, folder, emulator.url).splitlines()
        release = release.removeprefix("release ")
        assert [line for line in output if line.startswith("http://")]
        parts = {"artifacts", "network", "balancer", "healthcheck", "reviewer-role"}
        assert list_stacks() == {*parts, f"hosts-{release}"}
        # A new shell knows no variable.
        assigned = [text for text in commands[:removal] if not text.startswith("aws ")]
        run([*assigned, *commands[removal:]], folder, emulator.url)
        assert list_stacks() == set()
    finally:
        emulator.stop()


def test_each_template_is_deployed_with_parameters_that_it_has() -> None:
    deployed = {}
    for command in COMMANDS:
        words = command.split()
        if "--template-file" in words:
            part = Path(words[words.index("--template-file") + 1]).stem
            names = {word.partition("=")[0] for word in words if word[0].isupper() and "=" in word}
            deployed[part] = names
            assert names <= set(TEMPLATES[part].parameters), part
    assert set(deployed) == set(TEMPLATES)
