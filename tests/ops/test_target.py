"""Which deployment a command is about, and in which Region."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
from boto3.exceptions import Boto3Error

from deployment.errors import UserError
from local import project
from ops import target

PROD = argparse.Namespace(stack="prod", name="timeservice")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    (tmp_path / "Pulumi.yaml").write_text("name: timeservice")
    monkeypatch.setattr(target, "ROOT", tmp_path)
    monkeypatch.setattr(project, "ROOT", tmp_path)
    return tmp_path


def test_the_account_is_that_of_the_stack(root: Path) -> None:
    with pytest.raises(UserError, match="no Region is configured"):
        target.get_target(PROD)
    (root / "Pulumi.prod.yaml").write_text("config:\n  aws:region: eu-west-1\n")
    found = target.get_target(PROD)
    assert (found.deployment, found.region) == ("timeservice-prod", "eu-west-1")
    assert found.client("ec2").meta.region_name == "eu-west-1"


@pytest.mark.parametrize("content", ["", "config:\n", "encryptionsalt: v1\n"])
def test_a_stack_s_file_need_not_name_a_region(
    content: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "Pulumi.prod.yaml").write_text(content)
    monkeypatch.setenv("AWS_REGION", "us-west-1")
    assert target.get_target(PROD).region == "us-west-1"


@pytest.mark.parametrize("content", ["config: [", "config: 5\n", "- config\n"])
def test_a_broken_file_of_a_stack_is_reported(content: str, root: Path) -> None:
    (root / "Pulumi.prod.yaml").write_text(content)
    with pytest.raises(UserError, match=r"Pulumi\.prod\.yaml cannot be read: "):
        target.get_target(PROD)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("STACK", "../x"), ("STACK", "org/prod"), ("NAME", "a b"), ("NAME", "Second")],
)
def test_a_name_that_nothing_can_have_is_refused(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A search for leftovers of such a name would find nothing."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        target.run("ops.leftovers", None, [], lambda _: 0)
    assert ended.value.code == 2
    assert f"argument --{variable.lower()}: '{value}' is not a " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        ("prod", "requests to AWS fail: no token. Renew or correct the credentials"),
        ("local", "the local AWS API has stopped or refuses: no token\nRun make up"),
    ],
)
def test_an_api_that_refuses_is_the_one_of_the_stack(
    stack: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: argparse.Namespace) -> int:
        raise Boto3Error("no token")

    assert target.run("ops.reach", None, ["--stack", stack], refuse) == 3
    assert words in capsys.readouterr().err


def test_ctrl_c_causes_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def wait(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    assert target.run("ops.repair", None, ["--stack", "prod"], wait) == 130
    assert capsys.readouterr().err == "\nerror: interrupted; run the command again\n"


@pytest.mark.parametrize(
    ("end", "code", "error"),
    [
        ("print('x' * 1_000_000)", 0, ""),
        ("raise target.UserError('it is not up')", 3, "\nerror: it is not up\n"),
    ],
)
def test_a_reader_that_leaves_early_causes_no_traceback(end: str, code: int, error: str) -> None:
    script = f"""from ops import target
def print_much(_):
    print("x")
    {end}
raise SystemExit(target.run("ops.reach", "", [], print_much))"""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        command = [sys.executable, "-c", script]
        done = subprocess.run(
            command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False, env=env
        )
    assert (done.returncode, done.stderr) == (code, error)
